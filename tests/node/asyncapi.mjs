// Reads an AsyncAPI document as the tools of AsyncAPI do, and prints what they have against it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Packages are beside the lock that they were installed from, not beside this file.
const require = createRequire(`${process.env.KEYWARD_TEST_NODE_TOOLS}/package.json`);
const { Parser } = require('@asyncapi/parser');

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
for (const { severity, path, message, code } of diagnostics) {
  console.log(`${['error', 'warning', 'information', 'hint'][severity]} ${code} at ${path.join('/')}: ${message}`);
}
if (!document) process.exit(1);
console.log(`${document.operations().all().length} operations, ${document.messages().all().length} messages`);
