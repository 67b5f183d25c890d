import { type JsonSchema, JsonSchemaType, JsonSchemaVersion } from 'aws-cdk-lib/aws-apigateway';

const amount: JsonSchema = { type: JsonSchemaType.NUMBER };
const count: JsonSchema = { type: JsonSchemaType.INTEGER, minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/**
 * A company record as the handler takes it (src/services/churn-scoring/company-features.ts): API Gateway refuses the others
 * before anything is paid for them. Fields that it does not know pass, as everywhere. A test compares the two.
 */
export const COMPANY_SCHEMA: JsonSchema = {
  schema: JsonSchemaVersion.DRAFT4,
  title: 'Company',
  type: JsonSchemaType.OBJECT,
  required: ['industry', 'revenu', 'job30', 'job90', 'monthlyFee', 'totalFee'],
  properties: {
    industry: { type: JsonSchemaType.STRING },
    revenu: amount,
    job30: count,
    job90: count,
    monthlyFee: amount,
    totalFee: amount,
  },
  // Both names are in use; the second counts when the first is not there.
  anyOf: [
    { required: ['employees'], properties: { employees: amount } },
    { required: ['employee'], properties: { employee: amount, employees: { type: JsonSchemaType.NULL } } },
  ],
};
