import { SpanKind } from '@opentelemetry/api';
import { EVENT_ID_ATTRIBUTE, failed, headersOf, inSpan, type Tracing } from '../../observe/tracing.ts';
import type { InvokeModel } from './assess-churn.ts';

/** The call of the model in a span, which the model server carries on. */
export function tracedInvoke(invoke: InvokeModel, endpointName: string, tracing: Tracing): InvokeModel {
  const tracer = tracing.tracer('churn-scoring');
  return (csv, about = {}) => {
    const attributes = {
      'rpc.system': 'aws-api',
      'rpc.service': 'SageMakerRuntime',
      'rpc.method': 'InvokeEndpoint',
      'tenant_analytics.endpoint': endpointName,
      ...(about.correlationID === undefined ? {} : { [EVENT_ID_ATTRIBUTE]: about.correlationID }),
    };
    return inSpan(tracer, 'InvokeEndpoint', { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const answer = await invoke(csv, { ...about, traceparent: headersOf(span).traceparent });
      if (answer.kind === 'failure') failed(span, answer.why);
      return answer;
    });
  };
}
