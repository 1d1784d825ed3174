"""The page's one script: it moves a line over the charts and reads that night's numbers out of the page's own tables.

It holds no numbers, so what it shows cannot differ from what the page says without it.
"""

import base64
import hashlib

SCRIPT = """
"use strict";
(() => {
  const box = document.getElementById("readout");
  const slider = document.getElementById("night");
  const body = document.getElementById("readout-rows");
  const reasons = document.getElementById("readout-reasons");
  const charts = [...document.querySelectorAll("#year svg.year")];
  const everyone = document.getElementById("pick-all");
  const width = Number(slider.max) + 1;
  const kinds = [...document.querySelectorAll("#year .choice input[data-key]")];
  const columns = [1, 3, 5, 7, 9, 10, 11, 12, 13];
  const far = new Set([1, 3, 9, 11, 12]);
  const cell = (tag, text, kind) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const show = () => {
    const place = Number(slider.value);
    const at = `${((place + 0.5) / width) * 100}%`;
    for (const line of document.querySelectorAll("#year .now")) {
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.setAttribute("visibility", "visible");
    }
    body.replaceChildren();
    reasons.replaceChildren();
    let day = "";
    for (const kind of kinds) {
      const row = document.getElementById(`n-${kind.dataset.key}-${place}`);
      const line = document.createElement("tr");
      const name = cell("th", kind.dataset.title, `c${kind.dataset.colour}`);
      name.scope = "row";
      name.prepend(Object.assign(document.createElement("i"), { className: "swatch" }));
      line.append(name);
      for (const column of columns) {
        line.append(cell("td", row ? row.cells[column].textContent : "\\u2013", far.has(column) ? "far" : ""));
      }
      body.append(line);
      if (!row) continue;
      day = row.cells[0].textContent;
      const isMeant = kind.checked || (everyone.checked && "focus" in kind.dataset);
      if (isMeant || row.cells[13].textContent !== "nothing") {
        const told = cell("li", "", "");
        told.append(cell("b", `${kind.dataset.title}: `), row.cells[15].textContent);
        reasons.append(told);
      }
    }
    const name = day || `night ${place + 1}, not scored`;
    slider.setAttribute("aria-valuetext", name);
    document.getElementById("night-name").textContent = name;
  };
  const follow = (event) => {
    const area = event.currentTarget.getBoundingClientRect();
    const place = Math.floor(((event.clientX - area.left) / area.width) * width);
    slider.value = String(Math.min(width - 1, Math.max(0, place)));
    show();
  };
  for (const chart of charts) {
    chart.addEventListener("pointermove", follow);
    chart.addEventListener("pointerdown", follow);
  }
  slider.addEventListener("input", show);
  document.querySelector("#year .choice").addEventListener("change", show);
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    const mark = /^#m-[0-9]+-([0-9]+)$/.exec(location.hash);
    if (mark) {
      slider.value = mark[1];
      show();
    }
    /* A table of a policy that was not chosen is hidden: a link to it chooses all again. */
    if (target && !target.getClientRects().length) {
      everyone.checked = true;
      show();
    }
    if (target) target.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", reveal);
  box.hidden = false;
  show();
  reveal();
})();
"""


def script_source() -> str:
    """What a Content-Security-Policy names so that this script runs and no other does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
