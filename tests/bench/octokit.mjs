// @octokit/webhooks with a handler that does nothing: checked, parsed, answered, not kept.
// usage: node octokit.mjs DIRECTORY_OF_NODE_MODULES PORT      with the environment WEBHOOK_SECRET
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [directory, port] = process.argv.slice(2);
const entry = pathToFileURL(`${directory}/node_modules/@octokit/webhooks/dist-bundle/index.js`);
const { Webhooks, createNodeMiddleware } = await import(entry);

const webhooks = new Webhooks({ secret: process.env.WEBHOOK_SECRET });
webhooks.on("issues.labeled", async () => {});
createServer(createNodeMiddleware(webhooks, { path: "/webhooks/github" })).listen(Number(port), "127.0.0.1");
