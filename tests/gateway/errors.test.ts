import { describe, expect, test } from '@jest/globals';
import { AxiosError, CanceledError } from 'axios';
import type { Request } from 'express';
import { problem, problems } from '../../gateway/src/edge/problem.js';
import { forValidation, loadSpecification } from '../../gateway/src/edge/specification.js';
import { toProblem } from '../../gateway/src/middleware/errors.js';
import { InvalidCursorError } from '../../gateway/src/mirror/keyset.js';
import { ProblemError } from '../../openapi/problem.js';
import { invalid } from './fixtures.js';

const specification = loadSpecification();
const request = { path: '/api/v1/runs', method: 'GET', query: { cursor: 'x' } } as unknown as Request;
const backend = (status: number, code: string) =>
  new ProblemError({
    type: 'about:blank',
    title: 't',
    status,
    code,
    detail: 'd',
    hint: null,
    instance: null,
    trace_id: null,
    errors: [],
    errors_omitted: 0,
  });
const answered = (status: number, data: unknown) =>
  new AxiosError('failed', 'ERR_BAD_RESPONSE', undefined, undefined, {
    status,
    statusText: '',
    data,
    headers: {},
    config: {} as never,
  });

test.each(Object.entries(problems))('%s is a whole problem', (code, row) => {
  const { problem: made } = problem(code as keyof typeof problems, 'why');
  expect(invalid('Problem', made)).toBeNull();
  expect([made.code, made.status, made.title]).toEqual([code, row.status, row.title]);
});

describe('whatever is thrown becomes a problem that keeps its cause', () => {
  const rows: [what: string, thrown: unknown, status: number, code: string][] = [
    ['a problem of the backend', backend(409, 'conflict'), 409, 'conflict'],
    ['a full disk of the backend', backend(507, 'insufficient_disk'), 507, 'insufficient_disk'],
    ['the backend refuses our token', backend(401, 'unauthorized'), 502, 'bad_gateway'],
    ['no connection', new AxiosError('connect', 'ECONNREFUSED'), 503, 'backend_away'],
    ['no answer in time', new AxiosError('late', 'ECONNABORTED'), 504, 'backend_timeout'],
    ['an answer that is no problem', answered(500, '<html>'), 502, 'bad_gateway'],
    ...[400, 403, 404, 405, 409, 410, 412, 413, 414, 415, 416, 418, 422, 429, 431, 451, 499].map(
      (status): [string, unknown, number, string] => [
        `a refusal (${status}) that is no problem`,
        answered(status, 'Bad Request'),
        status,
        'refused',
      ],
    ),
    ['a refusal of the gateway’s own credentials', answered(401, ''), 502, 'bad_gateway'],
    ['one that a proxy wants', answered(407, ''), 502, 'bad_gateway'],
    ['a call that was given up', new CanceledError('gone'), 504, 'backend_timeout'],
    ['a bad cursor', new InvalidCursorError('is none'), 422, 'invalid_request'],
    [
      'malformed JSON',
      Object.assign(new Error('x'), { status: 400, type: 'entity.parse.failed' }),
      400,
      'malformed',
    ],
    [
      'a large body',
      Object.assign(new Error('x'), { status: 413, type: 'entity.too.large' }),
      413,
      'content_too_large',
    ],
    ['a lost database', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 503, 'database_away'],
    ['a fault of ours', new TypeError('x is undefined'), 500, 'internal'],
    ['no error at all', 'text', 500, 'internal'],
    ['nothing', undefined, 500, 'internal'],
  ];
  test.each(rows)('%s', (_what, thrown, status, code) => {
    const found = toProblem(specification, request, thrown);
    expect([found.problem.status, found.problem.code]).toEqual([status, code]);
    expect(invalid('Problem', found.problem)).toBeNull();
    if (found !== thrown && thrown !== undefined) expect(found.cause).toBeDefined();
    // What went wrong inside is for the log.
    if (code === 'internal') expect(JSON.stringify(found.problem)).not.toContain('undefined');
  });
});

describe('the bundled specification', () => {
  const text = JSON.stringify(specification);

  test('is whole: every reference is within it and leads somewhere', () => {
    for (const [, reference = ''] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      const found = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>(
          (value, part) => (value as Record<string, unknown> | undefined)?.[part],
          specification,
        );
      expect([reference, typeof found]).toEqual([reference, 'object']);
    }
  });

  test('names each operation once and documents 401 on all that need a token', () => {
    const operations = Object.values(specification.paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, security, responses } of operations) {
      expect([operationId, '401' in responses]).toEqual([operationId, security?.length !== 0]);
    }
  });

  test('for validation it has no discriminators and writes no defaults into bodies', () => {
    const { components } = forValidation(specification);
    expect(JSON.stringify(components.schemas)).not.toMatch(/"discriminator":\{"|"default":[^{]/);
    expect(JSON.stringify(components.parameters)).toContain('"default":50');
  });
});
