'use strict';

// Brings the page up to date with what the run tells, and swaps in its report when that is newer. Texts become text alone;
// only the report, which the server has made, is taken as elements.
{
  const part = (id) => document.getElementById(id);
  const live = part('live');
  const { run, folder } = live.dataset;
  // Where the address has a token, everything that is fetched needs it.
  const query = location.search;
  const SAY_EVERY = 10_000;
  const AGAIN_AFTER = 3_000;
  // Of the report that is shown, and of the newest that there is.
  let revision = Number(live.dataset.revision);
  let newest = revision;
  let said = 0;
  let isOver = 'ended' in live.dataset;
  let isFetching = false;

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
    if (element.hidden !== (text === '')) element.hidden = text === '';
  }

  function fill(body, rows) {
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach(({ cells, tone }, place) => {
      const row = body.rows[place] ?? body.insertRow();
      if (row.className !== tone) row.className = tone;
      cells.forEach((text, column) => {
        const cell = row.cells[column] ?? row.insertCell();
        if (cell.textContent !== text) cell.textContent = text;
      });
    });
    body.closest('.scroll').hidden = rows.length === 0;
  }

  function show({ texts, tables }) {
    for (const element of live.querySelectorAll('[data-fact]')) write(element, texts[element.dataset.fact] ?? '');
    for (const body of live.querySelectorAll('[data-table]')) fill(body, tables[body.dataset.table] ?? []);
    const { share, minute } = texts;
    part('share').hidden = share === undefined;
    part('share').value = Number(share ?? 0);
    part('minute').hidden = minute === undefined;
    part('minute').querySelector('path').setAttribute('d', minute ?? '');
    // Seldom: what is read out must come to its end.
    if (texts.said && performance.now() >= said) {
      part('said').textContent = texts.said;
      said = performance.now() + SAY_EVERY;
    }
  }

  // What a reader can have opened, scrolled, or look at, by names that stay when the report is made anew.
  function named(root) {
    const [numbers, names] = [new Map(), new Map()];
    for (const element of root.querySelectorAll('h1, h2, figure, details, summary, .chart, .scroll, pre')) {
      const heading = element.closest('section')?.querySelector('h1, h2')?.textContent;
      const caption = element.closest('figure')?.querySelector('figcaption').textContent;
      const name = [heading, caption, element.localName, element.classList[0]].join('\n');
      numbers.set(name, (numbers.get(name) ?? 0) + 1);
      names.set(`${name}\n${numbers.get(name)}`, element);
    }
    return names;
  }

  // Makes a change without the reader's place being lost.
  function keeping(change) {
    const before = named(part('report'));
    const top = (element) => element.getBoundingClientRect().top;
    const isSeen = (element) => top(element) < innerHeight && element.getBoundingClientRect().bottom > 0;
    const anchor = scrollY > 0 ? [...before].find(([, element]) => isSeen(element)) : undefined;
    const at = anchor && top(anchor[1]);
    const open = [...before].filter(([, element]) => element.open).map(([name]) => name);
    const scrolled = [...before].filter(([, element]) => element.scrollTop || element.scrollLeft)
      .map(([name, element]) => [name, element.scrollTop, element.scrollLeft]);
    const focused = [...before].find(([, element]) => element === document.activeElement)?.[0];
    change();
    const after = named(part('report'));
    for (const name of open) if (after.has(name)) after.get(name).open = true;
    for (const [name, down, right] of scrolled) after.get(name)?.scrollTo(right, down);
    const next = after.get(focused);
    if (next && next !== document.activeElement) next.focus({ preventScroll: true });
    const landmark = after.get(anchor?.[0]);
    if (landmark) scrollBy({ top: top(landmark) - at, behavior: 'instant' });
  }

  function place(text) {
    const template = document.createElement('template');
    template.innerHTML = text;
    const report = template.content.firstElementChild;
    part('report').replaceWith(report);
    report.querySelectorAll('figure').forEach(begin);
  }

  async function fetchReport(wanted) {
    if (isFetching || wanted === revision) return;
    isFetching = true;
    try {
      const answer = await fetch(`/report${query}`);
      if (!answer.ok) return;
      const text = await answer.text();
      keeping(() => {
        place(text);
        part('so-far').hidden = isOver;
      });
      revision = wanted;
    } catch {
      // Without the run there is no report; what there is stays.
    } finally {
      isFetching = false;
      if (newest > wanted) fetchReport(newest);
    }
  }
  function end({ words, report }) {
    isOver = true;
    keeping(() => {
      part('now').hidden = part('so-far').hidden = true;
      write(part('status'), words);
      if (report !== null) place(report);
    });
    if (report === null) fetchReport(newest);
  }

  function follow() {
    const events = new EventSource(`/events${query}`);
    events.addEventListener('live', ({ data }) => {
      const news = JSON.parse(data);
      // Another run has taken the address over.
      if (news.run !== run) location.reload();
      else show(news);
    });
    events.addEventListener('report', ({ data }) => {
      newest = Number(data);
      fetchReport(newest);
    });
    events.addEventListener('end', ({ data }) => {
      events.close();
      end(JSON.parse(data));
    });
    events.addEventListener('open', () => write(part('status'), ''));
    events.addEventListener('error', () => {
      if (isOver) return;
      if (part('status').hidden) {
        const since = new Date().toLocaleTimeString();
        write(part('status'), `Nothing has been heard of the run since ${since}, and this is its last state. If it has ended, ${folder}/report.html holds its report.`);
      }
      // A browser gives up where the answer is no stream, and in some cases where there is none.
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_AFTER);
    });
  }

  if (!isOver) follow();
}
