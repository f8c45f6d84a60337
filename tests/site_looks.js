// Opens every page in a frame, at two widths and in two schemes, and lists what does not look right.
const SCHEMES = ["default", "slate"];
const WIDTHS = [400, 1300];

const rgba = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

// Any notation of a colour as red, green, blue and opacity.
function colour(text) {
  if (/^rgba?\(/.test(text)) {
    const [red, green, blue, opacity = 1] = rgba(text);
    return [red, green, blue, opacity];
  }
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, opacity] = canvas.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, opacity / 255];
}

const over = (top, below) => below.map((value, k) => (k < 3 ? top[k] * top[3] + value * (1 - top[3]) : 1));

function ground(element, view) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    layers.push(colour(view.getComputedStyle(at).backgroundColor));
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
}

function luminance([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// The contrast of WCAG 2, and what level AA demands of it.
function contrast(element, view) {
  const style = view.getComputedStyle(element);
  const below = ground(element, view);
  const [a, b] = [over(colour(style.color), below), below].map(luminance);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), large ? 3 : 4.5];
}

function scrolls(element, view) {
  for (let at = element.parentElement; at; at = at.parentElement) {
    if (["auto", "scroll"].includes(view.getComputedStyle(at).overflowX)) return true;
  }
  return false;
}

function* layout(page, view) {
  const wide = page.documentElement.clientWidth;
  if (page.documentElement.scrollWidth > wide) yield "the page scrolls sideways";
  for (const element of page.querySelectorAll("article :is(p, li, table, pre, figure, svg, img, h1, h2, h3)")) {
    const { right, width } = element.getBoundingClientRect();
    if (width && right > wide + 1 && !scrolls(element, view)) {
      yield `<${element.localName}> is cut off: ${element.textContent.trim().slice(0, 40)}`;
    }
  }
  for (const svg of page.querySelectorAll("article .panels svg")) {
    const box = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      if (left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1) {
        yield `"${text.textContent}" leaves its figure`;
      }
    }
  }
  for (const error of page.querySelectorAll(".katex-error")) yield error.title;
  for (const formula of page.querySelectorAll(".arithmatex")) {
    if (!formula.querySelector(".katex")) yield `not set: ${formula.textContent}`;
  }
  for (const image of page.images) {
    if (image.complete && !image.naturalWidth) yield `${image.src} is no image`;
  }
}

function* legibility(page, view) {
  const seen = new Set();
  const walker = page.createTreeWalker(page.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const kind = `${element.localName}.${element.className} in ${element.closest("pre, table, p, details")?.localName}`;
    const key = `${kind} ${view.getComputedStyle(element).color}`;
    if (seen.has(key) || !walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    seen.add(key);
    if (element.closest("svg, .headerlink, .katex-mathml, script, style")) continue;
    const [ratio, least] = contrast(element, view);
    if (ratio < least - 0.005) yield `contrast ${ratio.toFixed(2)} of ${kind}`;
  }
}

async function main(names) {
  const found = [];
  const frame = document.createElement("iframe");
  frame.style = "height: 900px; border: 0";
  document.body.append(frame);
  for (const name of names) {
    for (const width of WIDTHS) {
      frame.style.width = `${width}px`;
      await new Promise((loaded) => {
        frame.onload = loaded;
        frame.src = name;
      });
      const [page, view] = [frame.contentDocument, frame.contentWindow];
      await page.fonts.ready;
      const still = page.createElement("style");
      still.textContent = "* { transition: none !important }";
      page.head.append(still);
      for (const details of page.querySelectorAll("article details")) details.open = true;
      for (const scheme of SCHEMES) {
        page.body.dataset.mdColorScheme = scheme;
        const checks = scheme === "default" ? [layout, legibility] : [legibility];
        for (const check of checks) {
          for (const flaw of check(page, view)) found.push(`${name}, ${width} wide, ${scheme}: ${flaw}`);
        }
      }
    }
  }
  const report = document.createElement("pre");
  report.id = "report";
  report.textContent = JSON.stringify({ pages: names.length, found });
  document.body.replaceChildren(report);
}
