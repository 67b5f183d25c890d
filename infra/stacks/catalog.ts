import { CfnOutput } from 'aws-cdk-lib';
import { CfnNamedQuery, CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import type { Construct } from 'constructs';
import { type BaseProps, BaseStack } from '../base-stack.ts';
import { namedQueries } from '../queries.ts';
import { DEAD_LETTERS_FOLDER, RESULTS_FOLDER, ROWS_FOLDER } from './storage.ts';

type Columns = Readonly<Record<string, string>>;

/** The fields of a JSON row (DESIGN section 3). Reasons are whatever JSON the model gave: their text. */
export const ROW_COLUMNS: Columns = {
  companyID: 'string',
  industry: 'string',
  revenu: 'double',
  employees: 'double',
  job30: 'bigint',
  job90: 'bigint',
  monthlyFee: 'double',
  totalFee: 'double',
  riskOfChurn: 'boolean',
  churnProbability: 'double',
  reasons: 'string',
  modelVersion: 'string',
  scoreStatus: 'string',
  riskChanged: 'string',
  trigger: 'string',
  eventID: 'string',
  eventTime: 'bigint',
  userID: 'string',
  nbJobs: 'bigint',
  dataSize: 'bigint',
  version: 'bigint',
  companyStale: 'boolean',
};

/** Texts: to the reader of CSV in Athena an empty field is no null, and no number. */
export const CSV_COLUMNS: Columns = Object.fromEntries(
  Object.keys(ROW_COLUMNS)
    .slice(0, 9)
    .map((name) => [name, 'string']),
);

export const DEAD_LETTER_COLUMNS: Columns = {
  source: 'string',
  shardId: 'string',
  sequenceNumber: 'string',
  arrivalTime: 'bigint',
  reason: 'string',
  message: 'string',
  payload: 'string',
};

const JSON_SERDE = { serializationLibrary: 'org.openx.data.jsonserde.JsonSerDe' };
/** RFC 4180 knows no escapes: a backslash is itself. */
const CSV_SERDE = {
  serializationLibrary: 'org.apache.hadoop.hive.serde2.OpenCSVSerde',
  parameters: { separatorChar: ',', quoteChar: '"', escapeChar: '\u0001' },
};

/** Tables over the bucket, so that Athena and QuickSight read rows at once; days are found by their folder's name. */
export class CatalogStack extends BaseStack {
  readonly #database: CfnDatabase;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'Catalog', { ...props, description: 'Tables and questions for Athena' });
    const name = this.named('tenant_analytics').replaceAll('-', '_').toLowerCase();
    this.#database = new CfnDatabase(this, 'Database', {
      catalogId: this.account,
      databaseInput: { name, description: 'Enriched companies and dead letters' },
    });
    this.#table('enriched_companies', `${ROWS_FOLDER}json/`, ROW_COLUMNS, JSON_SERDE);
    this.#table('enriched_companies_csv', `${ROWS_FOLDER}csv/`, CSV_COLUMNS, CSV_SERDE);
    this.#table('dead_letters', DEAD_LETTERS_FOLDER, DEAD_LETTER_COLUMNS, JSON_SERDE);

    const workGroup = new CfnWorkGroup(this, 'WorkGroup', {
      name: this.named('tenant-analytics'),
      description: 'Questions about tenants',
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        // A question without a bound on dt reads all days: it ends here, before it costs much.
        bytesScannedCutoffPerQuery: 100 * 1024 ** 3,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: this.bucketUrl(RESULTS_FOLDER),
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    });
    for (const query of namedQueries({ rows: 'enriched_companies', deadLetters: 'dead_letters' })) {
      new CfnNamedQuery(this, `Query-${query.name}`, {
        name: query.name,
        description: query.description,
        database: name,
        queryString: query.sql,
        workGroup: workGroup.name,
      }).addResourceDependency(workGroup);
    }
    new CfnOutput(this, 'QuickSightManifest', {
      description: 'For who imports files into QuickSight rather than asking Athena: save it as manifest.json',
      value: this.toJsonString({
        fileLocations: [{ URIPrefixes: [this.bucketUrl(`${ROWS_FOLDER}${this.settings.format}/`)] }],
        globalUploadSettings:
          this.settings.format === 'json' ? { format: 'JSON' } : { format: 'CSV', containsHeader: 'false' },
      }),
    });
  }

  #table(name: string, folder: string, columns: Columns, serdeInfo: typeof JSON_SERDE | typeof CSV_SERDE): void {
    const location = this.bucketUrl(folder);
    new CfnTable(this, name, {
      catalogId: this.account,
      databaseName: this.#database.ref,
      tableInput: {
        name,
        tableType: 'EXTERNAL_TABLE',
        partitionKeys: [{ name: 'dt', type: 'string', comment: 'UTC date, YYYY-MM-DD' }],
        parameters: {
          EXTERNAL: 'TRUE',
          'projection.enabled': 'true',
          'projection.dt.type': 'date',
          'projection.dt.format': 'yyyy-MM-dd',
          // Event times are the producers': a clock may be a day ahead of ours.
          'projection.dt.range': '2020-01-01,NOW+2DAYS',
          'storage.location.template': `${location}dt=\${dt}`,
        },
        storageDescriptor: {
          location,
          columns: Object.entries(columns).map(([column, type]) => ({ name: column.toLowerCase(), type })),
          inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
          outputFormat: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
          compressed: false,
          serdeInfo,
        },
      },
    });
  }
}
