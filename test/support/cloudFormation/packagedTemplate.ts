import { readFileSync } from 'node:fs';
import { packagedTemplateFile, resolvedSourcesFile } from '../../../scripts/packagersAnswer.mjs';

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** A CloudFormation template's resources by their logical names. */
export type Resources = Readonly<Record<string, Resource>>;

/** Resources of the CloudFormation template that would be deployed, packaged once per state of the sources. */
export function packagedTemplate(stage: string, ...params: readonly string[]): Resources {
  return JSON.parse(readFileSync(packagedTemplateFile(stage, params), 'utf8')).Resources;
}

/** The sources with their variables resolved, as the packager reads them and before it makes a template of them. */
export function resolvedSources(stage: string): {
  readonly resources: { readonly Resources: Resources };
  readonly functions: object;
} {
  return JSON.parse(readFileSync(resolvedSourcesFile(stage), 'utf8'));
}
