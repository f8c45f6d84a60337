// Renders every formula of a page with the one list of macros that all pages share.
const options = {
  delimiters: [
    { left: "\\(", right: "\\)", display: false },
    { left: "\\[", right: "\\]", display: true },
  ],
  macros: {
    "\\R": "\\mathbb{R}",
    "\\O": "\\mathrm{O}",
    "\\T": "^{\\mathsf{T}}",
    "\\norm": "\\lVert #1 \\rVert",
    "\\abs": "\\lvert #1 \\rvert",
    "\\inner": "\\langle #1, #2 \\rangle",
    "\\roundoff": "\\mathsf{u}",
    "\\Lip": "\\mathrm{Lip}",
    "\\half": "\\tfrac{1}{2}",
    "\\SO": "\\mathrm{SO}",
    "\\E": "\\mathrm{E}",
    "\\rank": "\\operatorname{rank}",
    "\\diag": "\\operatorname{diag}",
    "\\tr": "\\operatorname{tr}",
    "\\sign": "\\operatorname{sign}",
    "\\Stab": "\\operatorname{Stab}",
  },
  strict: "error",
  throwOnError: false,
};

for (const formula of document.querySelectorAll(".arithmatex")) {
  renderMathInElement(formula, options);
}

// A line may break on either side of a formula: marks of punctuation move into its first or last
// part, which does not break.
function keep(text, pattern, part, method) {
  const [marks] = text?.nodeType === Node.TEXT_NODE ? text.data.match(pattern) : [""];
  if (marks && part) {
    const kept = document.createElement("span");
    kept.className = "kept";
    kept.textContent = marks;
    part[method](kept);
    text.data = text.data.replace(pattern, "");
  }
}

for (const formula of document.querySelectorAll("span.arithmatex")) {
  const parts = formula.querySelectorAll(".katex-html > .katex-base");
  keep(formula.previousSibling, /[(\[“]*$/, parts[0], "prepend");
  keep(formula.nextSibling, /^[.,:;?!)\]”’-]*/, parts[parts.length - 1], "append");
}

// The results of a search arrive later and hold formulas as text.
const results = document.querySelector(".md-search-result__list");
if (results) {
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE && !node.closest(".katex")) {
          renderMathInElement(node, options);
        }
      }
    }
  }).observe(results, { childList: true, subtree: true });
}
