/** Prints the words of scripts, without comments: `node words.js TYPESCRIPT`, which reads name → text as JSON. */

const { readFileSync } = require("node:fs");
const ts = require(process.argv[2]);

/** Each word with its kind, in the order in which a compiler reads them, and where each node of the program ends. */
function words(text) {
  const file = ts.createSourceFile("script.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  if (file.parseDiagnostics.length) throw new Error(file.parseDiagnostics[0].messageText);
  const read = [];
  const walk = (node) => {
    const inside = node.getChildren(file).filter((one) => !ts.isJSDoc(one));
    if (!inside.length) read.push([node.kind, node.getText(file)]);
    inside.forEach(walk);
    read.push([node.kind, "end"]);
  };
  walk(file);
  return read;
}

const scripts = Object.entries(JSON.parse(readFileSync(0, "utf8")));
process.stdout.write(JSON.stringify(Object.fromEntries(scripts.map(([name, text]) => [name, words(text)]))));
