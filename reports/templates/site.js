"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  const fold = (button, open) => {
    button.setAttribute("aria-expanded", String(open));
    document.getElementById(button.getAttribute("aria-controls")).classList.toggle("open", open);
  };
  const folds = all("button.fold");
  folds.forEach((button) =>
    button.addEventListener("click", () => fold(button, button.getAttribute("aria-expanded") !== "true")));

  const unfold = document.getElementById("unfold");
  if (unfold) unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(open));
    folds.forEach((button) => fold(button, open));
  });

  const find = document.getElementById("find");
  const show = document.getElementById("show");
  const filter = () => {
    const words = find.value.toLowerCase().split(/[\s/]+/).filter(Boolean);
    let left = 0;
    all("tbody.op").forEach((op) => {
      const text = `${op.dataset.op} ${op.dataset.rows.toLowerCase()}`;
      const fits = words.every((word) => text.includes(word))
        && (!show.value || op.dataset.has.split(" ").includes(show.value));
      op.hidden = !fits;
      op.nextElementSibling.classList.toggle("away", !fits);
      left += fits ? 1 : 0;
    });
    document.getElementById("found").textContent = left === 1 ? "1 operator" : `${left} operators`;
  };
  if (find) {
    find.addEventListener("input", filter);
    show.addEventListener("change", filter);
    filter();
  }

  // Figures: the largest first, then the smallest; what was not measured always last. Names the other way round.
  const order = (table, column, up) => {
    const key = (row) => {
      const cell = row.children[column];
      if (column === 0) return cell.textContent;
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    const compare = (one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  };
  all("table.costs").forEach((table) => all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.hasAttribute("aria-sort") ? head.getAttribute("aria-sort") !== "ascending" : column === 0;
      all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      order(table, column, up);
    });
  }));

  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  all("button.copy").forEach((button) => button.addEventListener("click", async () => {
    const command = document.getElementById(button.dataset.copy);
    select(command);
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }));

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && (target.closest("details:not([open])") || target.querySelector(":scope > details:not([open])"));
    if (folded) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
})();
