export { newToken } from '../../services/dashboard/access/tokens.ts';
