import { fileURLToPath } from 'node:url';
import { Stack } from 'aws-cdk-lib';
import { type IRepository, Repository } from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import type { Construct } from 'constructs';

export interface Image {
  readonly uri: string;
  readonly repository: IRepository;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const URI = /^(?<account>\d{12})\.dkr\.ecr\.(?<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?\/(?<name>[^:@]+)([:@].+)?$/;

/**
 * The image that `uri` names, in ECR; empty: the stage `target` of the Dockerfile, which `cdk deploy` builds. To synthesize,
 * no Docker is needed: what the image is made of is only hashed.
 */
export function image(scope: Construct, id: string, target: string, uri: string): Image {
  const { account, region, name } = URI.exec(uri)?.groups ?? {};
  if (account !== undefined && region !== undefined && name !== undefined) {
    const repositoryArn = Stack.of(scope).formatArn({
      service: 'ecr',
      region,
      account,
      resource: 'repository',
      resourceName: name,
    });
    return { uri, repository: Repository.fromRepositoryAttributes(scope, id, { repositoryArn, repositoryName: name }) };
  }
  const { imageUri, repository } = new DockerImageAsset(scope, id, {
    directory: ROOT,
    target,
    // SageMaker's serverless endpoints run no other.
    platform: Platform.LINUX_AMD64,
  });
  return { uri: imageUri, repository };
}
