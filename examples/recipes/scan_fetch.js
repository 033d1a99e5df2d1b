#!/usr/bin/env node
// Scans one file with fetch of undici: one resolution, one address, and an agent that reaches nothing else.
//
//   scan_fetch.js http://core.lb.example:8008 FILE
//
// The agent's lookup returns the pinned address for every name; Host, SNI and the name in the certificate stay the
// shared name. Ends with 0 when the file is allowed, 2 when it is blocked, 1 otherwise.
"use strict";
const dns = require("node:dns/promises");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { Agent, fetch } = require("undici");

const PATIENCE = 600_000; // milliseconds that a scan may take

// Whether an address takes a connection.
const takes = (address, port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host: address, port, timeout: 3000 });
    const end = (is) => () => resolve((socket.destroy(), is));
    socket.on("connect", end(true)).on("timeout", end(false)).on("error", end(false));
  });

// One of the addresses of a name that takes a connection, drawn at random: resolvers and systems sort.
async function reachable(name, port) {
  const left = await dns.lookup(name, { all: true });
  while (left.length > 0) {
    const [node] = left.splice(Math.floor(Math.random() * left.length), 1);
    if (await takes(node.address, port)) return node;
  }
  throw new Error(`no node of ${name} can be reached`);
}

async function main([at, file]) {
  const url = at.replace(/\/$/, "");
  const target = new URL(url);
  const node = await reachable(target.hostname, target.port || (target.protocol === "https:" ? 443 : 80));
  const lookup = (name, { all }, done) => (all ? done(null, [node]) : done(null, node.address, node.family));
  const agent = new Agent({ connect: { lookup, timeout: 3000 } });
  const ask = async (where, options) => (await fetch(url + where, { dispatcher: agent, redirect: "error", ...options })).json();

  // Without the length it would be chunked, which the nodes refuse.
  const headers = { "Content-Length": String(fs.statSync(file).size), filename: encodeURIComponent(path.basename(file)) };
  const body = fs.createReadStream(file);
  const sent = await ask("/file", { method: "POST", headers, body, duplex: "half" });
  const id = sent.data_id;
  if (!id) throw new Error(`${node.address} does not take it: ${sent.err}`);
  console.log(`sent to ${node.address}`);
  const until = Date.now() + PATIENCE;
  for (let wait = 100; Date.now() < until; wait = Math.min(wait * 1.5, 5000)) {
    const result = await ask(`/file/${id}`);
    if (result[id] === "Not Found") throw new Error(`${node.address} does not know ${id}`);
    if (!result.process_info) throw new Error(`${node.address} answers: ${JSON.stringify(result)}`);
    const verdict = result.process_info.result;
    if (verdict !== "Processing") {
      console.log(verdict.toLowerCase());
      await agent.close();
      return verdict === "Allowed" ? 0 : 2;
    }
    await sleep(wait);
  }
  throw new Error(`${node.address} has no result for ${id} after ${PATIENCE} ms`);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
    process.exitCode = 1;
  },
);
