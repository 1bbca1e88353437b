import type { Client } from '../../../openapi/client.js';
import type { components, paths } from '../../../openapi/gateway.js';

export type S = components['schemas'];
export type Run = S['Run'];
export type Api = Client<paths>;
