import { z } from 'zod';

/** `GET /api/viewer`: whom the answers, and the page, are for. */
export const viewerSchema = z.object({
  /** False: this dashboard asks nobody to sign in. */
  signedIn: z.boolean(),
  name: z.string().nullable(),
  /** The company whose numbers these are; null: all. */
  companyID: z.string().nullable(),
});
export type ViewerAnswer = z.infer<typeof viewerSchema>;
