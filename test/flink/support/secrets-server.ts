import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export const ARN = 'arn:aws:secretsmanager:us-west-2:123456789012:secret:churn/api-key-AbCdEf';

export interface SecretsServer {
  /** For the environment of who is to ask it. */
  readonly environment: Readonly<Record<string, string>>;
  /** How often it was asked for the secret. */
  asked(): number;
  stop(): Promise<void>;
}

/** Speaks as Secrets Manager does, and knows one secret: that of `ARN`. */
export async function startSecretsServer(secret: string): Promise<SecretsServer> {
  let asked = 0;
  const server = createServer(async (request, response) => {
    const { SecretId } = (await json(request)) as { SecretId?: string };
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (SecretId === ARN) {
      asked++;
      response.end(JSON.stringify({ ARN, SecretString: JSON.stringify({ apiKey: secret }) }));
    } else {
      response.statusCode = 400;
      response.end(JSON.stringify({ __type: 'ResourceNotFoundException', message: "can't find it" }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    environment: {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
    asked: () => asked,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
