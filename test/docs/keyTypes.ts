import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const project = fileURLToPath(new URL('../../', import.meta.url));

/** An exported schema: its file from the project's root, and its name. */
export interface SchemaSource {
  readonly file: string;
  readonly name: string;
}

/**
 * TypeScript's view of schemas, which has what Zod's hasn't: the comments beside the keys. They are carried along by the
 * types that Zod infers.
 */
export class KeyTypes {
  readonly #checker: ts.TypeChecker;
  readonly #types: ReadonlyMap<string, ts.Type>;

  /** Takes some seconds: all schemas are looked at in one program. */
  constructor(sources: readonly SchemaSource[]) {
    const { compilerOptions } = ts.readConfigFile(`${project}tsconfig.json`, ts.sys.readFile).config;
    const { options } = ts.convertCompilerOptionsFromJson(compilerOptions, project);
    const file = `${project}documentsOfReference.ts`;
    const text = sources
      .map(
        ({ file, name }, place) =>
          `import type { ${name} as schema${place} } from './${file}';\nexport type Document${place} = z.input<typeof schema${place}>;`,
      )
      .join('\n');
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists } = host;
    host.getSourceFile = (name, ...rest) =>
      name === file
        ? ts.createSourceFile(name, `import type { z } from 'zod';\n${text}`, ts.ScriptTarget.ES2022, true)
        : getSourceFile.call(host, name, ...rest);
    host.fileExists = (name) => name === file || fileExists.call(host, name);
    const program = ts.createProgram([file], options, host);
    this.#checker = program.getTypeChecker();
    const aliases = program.getSourceFile(file)!.statements.filter(ts.isTypeAliasDeclaration);
    this.#types = new Map(
      aliases.map(({ name }, place) => [sources[place]!.name, this.#checker.getTypeAtLocation(name)]),
    );
  }

  /** What a document of a schema may be. @param name of the schema */
  document(name: string): readonly ts.Type[] {
    return this.#alternatives(this.#types.get(name)!);
  }

  /** What the key of any of these may be, and the first comment that stands beside it. */
  key(
    types: readonly ts.Type[],
    key: string,
  ): { readonly types: readonly ts.Type[]; readonly comment: string } {
    // Text has properties too, such as `at`.
    const objects = types.filter((type) => (type.flags & ts.TypeFlags.Object) !== 0);
    const symbols = objects.flatMap((type) => this.#checker.getPropertyOfType(type, key) ?? []);
    const comments = symbols.map((symbol) =>
      ts.displayPartsToString(symbol.getDocumentationComment(this.#checker)).replace(/\s+/g, ' ').trim(),
    );
    return {
      types: symbols.flatMap((symbol) => this.#alternatives(this.#checker.getTypeOfSymbol(symbol))),
      comment: comments.find((comment) => comment !== '') ?? '',
    };
  }

  /** Elements of lists, or values of objects whose keys are free. */
  elements(types: readonly ts.Type[]): readonly ts.Type[] {
    return types.flatMap((type) => {
      const element = type.getNumberIndexType() ?? type.getStringIndexType();
      return element === undefined ? [] : this.#alternatives(element);
    });
  }

  /** Those whose key is this constant. */
  withConstant(types: readonly ts.Type[], key: string, value: unknown): readonly ts.Type[] {
    return types.filter((type) =>
      this.key([type], key).types.some((each) => each.isLiteral() && each.value === value),
    );
  }

  #alternatives(type: ts.Type): readonly ts.Type[] {
    return type.isUnion() ? type.types : [type];
  }
}
