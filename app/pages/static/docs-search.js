"use strict";
// Search of the documentation that was written as files; docs-index.js has title, address and text.

const up = document.currentScript ? document.currentScript.dataset.up : "";
const box = document.getElementById("docs-query");
const results = document.getElementById("docs-results");

function score(entry, words) {
  const title = entry[0].toLowerCase();
  const text = entry[2].toLowerCase();
  let total = 0;
  for (const word of words) {
    const found = (title.includes(word) ? 20 : 0) + Math.min(text.split(word).length - 1, 5);
    if (!found) return 0;
    total += found;
  }
  return total;
}

box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? docsIndex.map((entry) => [score(entry, words), entry]) : [];
  const best = found.filter(([points]) => points).sort((a, b) => b[0] - a[0]).slice(0, 15);
  results.replaceChildren(...best.map(([, [title, address]]) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = up + address;
    link.textContent = title;
    item.append(link);
    return item;
  }));
});
