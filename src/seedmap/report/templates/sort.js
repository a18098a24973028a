// The buttons in a table's head sort its rows; a second click turns the order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column]?.dataset.value ?? row.cells[column]?.textContent ?? "";
      const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      const sign = down ? -1 : 1;
      const empty = (text) => text === "" || text === "nan";
      const numbers = rows.every(([text]) => empty(text) || !isNaN(text));
      rows.sort(([a], [b]) => empty(a) - empty(b) || sign * (numbers ? a - b : a.localeCompare(b)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
