import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What a program asks of AWS, found in its code without running it. */
export interface CodeCalls {
  /** The SDK's commands that are sent, such as `GetObjectCommand`; and lib-storage's `Upload`. */
  readonly commands: readonly string[];
  /** Names of the metrics that are added. */
  readonly metrics: readonly string[];
}

const project = fileURLToPath(new URL('../..', import.meta.url));

/** The calls of each Lambda function, its worker threads' included, by its name (`plan`). */
export function functionCalls(): Readonly<Record<string, CodeCalls>> {
  // Entries as they are bundled.
  const packaging = readFileSync(join(project, 'scripts/package.mjs'), 'utf8');
  const functions = [...packaging.matchAll(/^ {2}(\w+): \{\s+entries: \{([^}]*)\}/gm)].map(
    ([, name, entries]) =>
      [name!, [...entries!.matchAll(/'([^']+\.ts)'/g)].map(([, file]) => file!)] as const,
  );
  const program = programOf(functions.flatMap(([, entries]) => entries));
  return Object.fromEntries(functions.map(([name, entries]) => [name, codeCalls(entries, program)]));
}

/** The calls of those of the CLI's commands that are about a stage. */
export function operatorCalls(): CodeCalls {
  const entries = [
    'planCommand',
    'promoteCommand',
    'publicationCommands',
    'redriveCommand',
    'runCommand',
    'statusCommand',
  ].map((name) => `lib/cli/${name}.ts`);
  return codeCalls(entries, programOf(entries));
}

/** @param entries files below the project, or absolute */
export function programOf(entries: readonly string[]): ts.Program {
  const { config } = ts.readConfigFile(join(project, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, project);
  const host = ts.createCompilerHost(options);
  // The types of packages are most of the work and none of the answer: their classes are known by name.
  host.resolveModuleNameLiterals = (literals, importer) =>
    literals.map(({ text }) =>
      text.startsWith('.')
        ? ts.resolveModuleName(text, importer, options, host)
        : { resolvedModule: undefined },
    );
  return ts.createProgram(entries.map(absolute), { ...options, types: [] }, host);
}

/**
 * Follows every reference to a function, class or member, from the statements of the entries and their exports on. A member of
 * an interface stands for those of the same name in everything that is declared to implement it. So more is followed than is
 * ever called, but nothing for being in the same file, class or object.
 */
export function codeCalls(entries: readonly string[], program: ts.Program): CodeCalls {
  const checker = program.getTypeChecker();
  const implementations = new Implementations(program, checker);
  const commands = new Set<string>();
  const metrics = new Set<string>();
  const followed = new Set<ts.Node>();

  const follow = (node: ts.Node): void => {
    if (followed.has(node)) return;
    followed.add(node);
    // A module's name (`import * as`) comes with a member's, which is followed.
    if (ts.isSourceFile(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isMethodSignature(node) || ts.isPropertySignature(node)) {
      for (const member of implementations.of(node)) follow(member);
    } else if (ts.isClassDeclaration(node)) {
      // What it does when it is made; methods are followed where they are referred to.
      for (const member of node.members) {
        if (ts.isPropertyDeclaration(member) || ts.isConstructorDeclaration(member)) follow(member);
      }
      node.heritageClauses?.forEach(visit);
    } else if (!implementations.isObject(node)) visit(node);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (ts.isNewExpression(node)) {
      const name = lastNameOf(node.expression);
      if (/^\w+Command$|^Upload$/.test(name)) commands.add(name);
    }
    if (ts.isCallExpression(node) && lastNameOf(node.expression) === 'addMetric') {
      for (const name of literalsOf(checker.getTypeAtLocation(node.arguments[0]!))) metrics.add(name);
    }
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) {
      for (const declaration of declarationsOf(node, checker)) follow(declaration);
    }
    ts.forEachChild(node, visit);
  };

  for (const entry of entries) {
    for (const statement of program.getSourceFile(absolute(entry))!.statements) {
      const { modifiers = [] } = statement as { modifiers?: readonly ts.Node[] };
      const isExport = modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (isExport || ts.isExpressionStatement(statement) || ts.isIfStatement(statement)) follow(statement);
    }
  }
  return { commands: [...commands].sort(), metrics: [...metrics].sort() };
}

/** What implements the program's interfaces: `class A implements I`, and `const a: I = {...}`. */
class Implementations {
  readonly #checker: ts.TypeChecker;
  /** Of an interface, and of those that it extends. */
  readonly #members = new Map<ts.Node, ts.NamedDeclaration[]>();
  readonly #objects = new Set<ts.Node>();

  constructor(program: ts.Program, checker: ts.TypeChecker) {
    this.#checker = checker;
    const visit = (node: ts.Node): void => {
      if (ts.isClassDeclaration(node)) {
        for (const { types } of node.heritageClauses ?? []) {
          for (const { expression } of types) this.#add(expression, node.members);
        }
      } else if (ts.isVariableDeclaration(node) && node.type && ts.isTypeReferenceNode(node.type)) {
        const { initializer } = node;
        if (initializer !== undefined && ts.isObjectLiteralExpression(initializer)) {
          if (this.#add(node.type.typeName, initializer.properties)) this.#objects.add(node);
        }
      }
      ts.forEachChild(node, visit);
    };
    for (const file of program.getSourceFiles()) if (!file.isDeclarationFile) visit(file);
  }

  of(signature: ts.MethodSignature | ts.PropertySignature): ts.NamedDeclaration[] {
    const name = signature.name.getText();
    return (this.#members.get(signature.parent) ?? []).filter((member) => member.name?.getText() === name);
  }

  /** Is it a variable whose members are followed one by one? */
  isObject(node: ts.Node): boolean {
    return this.#objects.has(node);
  }

  /** @returns whether the name is an interface's */
  #add(name: ts.Node, members: readonly ts.NamedDeclaration[]): boolean {
    const interfaces = declarationsOf(name, this.#checker).filter(ts.isInterfaceDeclaration);
    for (const found of interfaces) {
      this.#members.set(found, [...(this.#members.get(found) ?? []), ...members]);
      for (const { types } of found.heritageClauses ?? []) {
        for (const { expression } of types) this.#add(expression, members);
      }
    }
    return interfaces.length > 0;
  }
}

function declarationsOf(name: ts.Node, checker: ts.TypeChecker): ts.Node[] {
  const found =
    name.parent && ts.isShorthandPropertyAssignment(name.parent)
      ? checker.getShorthandAssignmentValueSymbol(name.parent)
      : checker.getSymbolAtLocation(name);
  if (found === undefined) return [];
  const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  return (symbol.declarations ?? []).filter((each) => !each.getSourceFile().isDeclarationFile);
}

function lastNameOf(expression: ts.Expression): string {
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
}

function literalsOf(type: ts.Type): string[] {
  const types = type.isUnion() ? type.types : [type];
  return types.map((each) => {
    if (each.isStringLiteral()) return each.value;
    throw new Error('the name of a metric is no literal');
  });
}

function absolute(file: string): string {
  return join(file.startsWith('/') ? '' : project, file);
}
