import type { IncomingHttpHeaders } from 'node:http';
import { CORRELATION_HEADER } from '../../core/correlation.ts';
import type { CallAbout } from './assess-churn.ts';

/** Of SageMaker's headers the one that it hands on to the model's container, visible ASCII of at most 1024 characters. */
const HEADER = 'x-amzn-sagemaker-custom-attributes';

/** The id stands last: it may hold any visible character. */
export function customAttributes({ correlationID, traceparent }: CallAbout): string {
  const parts = [];
  if (traceparent !== undefined) parts.push(`traceparent=${traceparent}`);
  if (correlationID !== undefined) parts.push(`${CORRELATION_HEADER}=${correlationID}`);
  return parts.join(';');
}

/** As headers of their own, whoever called. */
export function fromCustomAttributes(headers: IncomingHttpHeaders): Readonly<Record<string, unknown>> {
  const attributes = headers[HEADER];
  if (typeof attributes !== 'string') return headers;
  const [, traceparent, correlationID] =
    /^(?:traceparent=([\w-]+);?)?(?:x-correlation-id=(.*))?$/.exec(attributes) ?? [];
  return {
    ...headers,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(correlationID === undefined ? {} : { [CORRELATION_HEADER]: correlationID }),
  };
}
