/** Of merge configurations, RFC 9512. */
export const YAML = 'application/yaml';
