// The table of purposes, made anew for the data sets that a reader chooses. Python makes it for all
// of them (filters.py); what is computed and written here is computed and written there alike.
for (const box of document.querySelectorAll(".filters")) {
  const view = JSON.parse(box.dataset.view);
  const table = box.parentElement.querySelector("table.board");
  const said = box.querySelector(".said");
  const link = box.querySelector("a");
  const selects = [...box.querySelectorAll("select")];
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const sections = document.querySelectorAll("details.dataset");
  const shownDatasets = document.querySelector("#datasets .said");
  const home = "#" + box.closest("section").id;
  const columns = ["imputer", "overall", ...view.purposes];
  const facets = ["technology", "size", "kind"];
  const lost = new Map(view.lost.map(([question, row, failed]) => [question + "," + row, failed]));
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => (values.length ? sum(values) / values.length : NaN);
  const known = (values) => values.filter((value) => value !== null && !Number.isNaN(value));

  // As Python rounds: a number just between two goes to the even one.
  const fixed = (value, digits) => {
    const scaled = value * 10 ** digits;
    const tie = Number.isInteger(value * 8) && Math.abs(scaled % 1) === 0.5;
    const text = (tie ? 2 * Math.round(scaled / 2) / 10 ** digits : value).toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
  };
  const trimmed = (text) => text.replace(/\.?0+$/, "");
  const skillText = (value) => {
    const size = Math.abs(value);
    const text = fixed(value, size >= 0.995 && size < 0.9995 ? 3 : 2);
    return value > 0 && Number(text) !== 0 ? "+" + text : text;
  };
  const secondsText = (value) => {
    if (value === 0) return "0";
    if (value < 1e-4 || value >= 1e6) {
      const [digits, power] = value.toExponential(1).split("e");
      return digits + "e" + String(Number(power)).replace("-", "−");
    }
    return fixed(value, Math.max(0, 1 - Math.floor(Math.log10(value))));
  };
  const isDescending = (head) => head?.getAttribute("aria-sort") === "descending";
  const counted = (number, noun) => number + " " + noun + (number === 1 ? "" : "s");
  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
    if (!sorted.length) return NaN;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  const chosen = () => Object.fromEntries(selects.map((select) => [select.name, select.value]));
  const passes = (dataset, choice) => facets.every((facet, i) => {
    const value = view.datasets[dataset][i], wanted = choice[facet];
    return !wanted || value === wanted ||
      (facet === "kind" && wanted === "real" && value !== "simulated");
  });

  // What one purpose says: mean rank, place, skill and failures of every row.
  const summarise = (purpose, datasets) => {
    let asked = view.questions.map((question, id) => ({ question, id }))
      .filter(({ question }) => question[0] === purpose && datasets.has(question[1]));
    const protocols = new Set(asked.filter(({ question }) => known(question[3]).length)
      .map(({ question }) => question[2]));
    asked = asked.filter(({ question }) => protocols.has(question[2]));
    const last = asked.map(({ question }) => Math.max(...known(question[3])));
    const found = rows.map((_, row) => {
      const ranks = asked.map(({ question }) => question[3][row]);
      const beside = known(asked.map(({ question }) => question[4][row]));
      const places = ranks.map((rank, i) =>
        rank === null ? null : last[i] > 1 ? (rank - 1) / (last[i] - 1) : 0);
      const failures = asked.map(({ id }) => lost.get(id + "," + row)).filter((n) => n !== undefined);
      return {
        rank: mean(known(ranks)), ranked: known(ranks).length, place: mean(known(places)),
        value: purpose === view.speed ? median(beside) : mean(beside),
        lost: failures.length > 0, failed: sum(failures) > 0,
      };
    });
    const whole = found.filter((cell, row) => view.methods[row] && !cell.failed)
      .map((cell) => cell.rank).filter((rank) => !Number.isNaN(rank));
    return {
      found, best: Math.min(...whole), questions: asked.length,
      datasets: new Set(asked.map(({ question }) => question[1])),
    };
  };

  const write = (cell, text, note, sort, best) => {
    cell.textContent = text;
    if (note) cell.append(Object.assign(document.createElement("small"), { textContent: note }));
    if (sort === null) delete cell.dataset.sort;
    else cell.dataset.sort = sort;
    cell.className = best ? "best" : "";
  };

  const refresh = () => {
    const choice = chosen();
    const datasets = new Set(view.datasets.map((_, i) => i).filter((i) => passes(i, choice)));
    const only = view.purposes.indexOf(choice.purpose);
    const told = view.purposes.map((_, purpose) => summarise(purpose, datasets));
    const enough = told.map((purpose) => purpose.datasets.size >= view.least);
    const counts = told.filter((_, i) => enough[i] && i !== view.speed && (only < 0 || i === only));
    rows.forEach((row, at) => {
      const place = mean(known(counts.map((purpose) => purpose.found[at].place)));
      if (Number.isNaN(place)) write(row.cells[1], "—", "", null, false);
      else write(row.cells[1], fixed(place, 2), "", place, false);
      told.forEach((purpose, i) => {
        const cell = purpose.found[at], target = row.cells[i + 2];
        if (!enough[i] || Number.isNaN(cell.rank)) return write(target, "—", "", null, false);
        const notes = [];
        if (!Number.isNaN(cell.value))
          notes.push(i === view.speed ? secondsText(cell.value) + " s" : "skill " + skillText(cell.value));
        if (cell.ranked < purpose.questions) notes.push(cell.ranked + "/" + purpose.questions);
        const best = view.methods[at] === 1 && !cell.failed && cell.rank === purpose.best;
        const text = trimmed(fixed(cell.rank, 2)) + (cell.lost ? "*" : "");
        write(target, text, notes.join(" · "), cell.rank, best);
      });
    });
    told.forEach((purpose, i) => {
      const asked = i === view.speed ? "" : counted(purpose.questions, "question") + ", ";
      heads[i + 2].querySelector("small").textContent =
        asked + counted(purpose.datasets.size, "dataset") + (enough[i] ? "" : ": too few");
    });
    heads.forEach((_, column) => {
      const hidden = only >= 0 && column > 0 && column !== only + 2;
      for (const row of [table.tHead.rows[0], ...rows]) row.cells[column].hidden = hidden;
    });
    const shown = told.filter((_, i) => (only < 0 ? i !== view.speed : i === only));
    const left = new Set(shown.flatMap((purpose) => [...purpose.datasets]));
    const questions = sum(shown.map((purpose) => purpose.questions));
    const rests = counted(left.size, "dataset") +
      (only >= 0 && only === view.speed ? "" : " and " + counted(questions, "question"));
    said.textContent = shown.some((purpose) => purpose.datasets.size >= view.least)
      ? "The table rests on " + rests + "."
      : "Nobody is ranked: " + rests + " left, and a mean rank over fewer than " +
        view.least + " datasets says more of these than of the methods.";
    sections.forEach((section, i) => { section.hidden = !datasets.has(i); });
    if (shownDatasets) shownDatasets.textContent = datasets.size < view.datasets.length
      ? "Shown are the " + datasets.size + " of " + view.datasets.length +
        " datasets that the filters of the table of purposes let pass." : "";
    const sorted = heads.find((head) => head.hasAttribute("aria-sort") && !head.hidden);
    table.tBodies[0].append(...rows);
    sortTable(sorted ?? heads[only < 0 ? 1 : only + 2], isDescending(sorted));
    return choice;
  };

  const address = (choice) => {
    const told = new URLSearchParams(Object.entries(choice).filter(([, value]) => value));
    const sorted = heads.find((head) => head.hasAttribute("aria-sort"));
    const column = heads.indexOf(sorted), back = isDescending(sorted) ? "-" : "";
    const usual = choice.purpose ? view.purposes.indexOf(choice.purpose) + 2 : 1;
    if (column !== usual || back) told.set("sort", back + columns[column]);
    return String(told) ? home + "?" + told : home;
  };
  const remember = (choice) => {
    link.href = address(choice);
    history.replaceState(null, "", link.href);
  };
  const restore = () => {
    if (!location.hash.startsWith(home + "?")) return;
    const told = new URLSearchParams(location.hash.slice(home.length + 1));
    for (const select of selects) {
      const value = told.get(select.name) ?? "";
      select.value = [...select.options].some((option) => option.value === value) ? value : "";
    }
    const [, back, name] = /^(-?)(.*)$/s.exec(told.get("sort") ?? "");
    const column = columns.indexOf(name);
    for (const head of heads) head.removeAttribute("aria-sort");
    if (column >= 0) heads[column].setAttribute("aria-sort", back ? "descending" : "ascending");
    link.href = address(refresh());
    box.closest("section").scrollIntoView();
  };

  box.hidden = false;
  for (const select of selects) select.addEventListener("change", () => remember(refresh()));
  box.querySelector("button").addEventListener("click", () => {
    for (const select of selects) select.value = "";
    for (const head of heads) head.removeAttribute("aria-sort");
    remember(refresh());
  });
  table.addEventListener("sorted", () => remember(chosen()));
  addEventListener("hashchange", restore);
  refresh();
  link.href = home;
  restore();
}
