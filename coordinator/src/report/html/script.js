'use strict';

// Shows a chart's values under the pointer and the arrow keys. All it knows is the table below each chart.

const share = (element, name) => (name in element.dataset ? Number(element.dataset[name]) : null);

function pointsOf(table) {
  const heads = [...table.tHead.rows[0].cells];
  const isGrid = heads.some((head) => 'y' in head.dataset);
  const rows = [...table.tBodies[0].rows];
  const lines = (row, shown) =>
    heads.map((head, place) => [head, row.cells[place]]).filter(([head, cell]) => cell && shown(head, cell))
      .map(([head, cell]) => `${head.textContent}: ${cell.textContent}`);
  if (!isGrid) {
    return rows.map((row, place) => ({ place, x: share(row, 'x'), y: share(row, 'y'), lines: () => lines(row, () => true) }));
  }
  return rows.flatMap((row, place) => heads
    .map((head, column) => ({ head, cell: row.cells[column] }))
    .filter(({ head, cell }) => 'y' in head.dataset && cell.textContent)
    .map(({ head, cell }) => ({
      place, x: share(row, 'x'), y: share(head, 'y'),
      lines: () => lines(row, (other, its) => !('y' in other.dataset) || its === cell),
    })));
}

function nearest(points, x, y) {
  const away = (point) => Math.abs(point.x === null ? 0 : point.x - x) * 2 + Math.abs(point.y === null ? 0 : point.y - y);
  return points.reduce((best, point) => (best === null || away(point) < away(best) ? point : best), null);
}

function begin(figure) {
  const chart = figure.querySelector('.chart');
  const [cursor, tip] = [chart.querySelector('.cursor'), chart.querySelector('.tip')];
  const panels = [...chart.querySelectorAll('.panel')];
  let points = null;
  let current = null;

  const all = () => (points ??= pointsOf(figure.querySelector('table')).filter((point) => !panels.length || point.place < panels.length));
  const picture = () => [...chart.querySelectorAll('svg')].find((svg) => svg.getClientRects().length > 0);

  // Where a share of the frame lies, in pixels of the chart.
  function frame() {
    const svg = picture();
    const [left, top, right, bottom] = svg.dataset.frame.split(' ').map(Number);
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    return { left: left * scale, top: top * scale, width: (right - left) * scale, height: (bottom - top) * scale };
  }

  function box(point) {
    if (panels.length) {
      const [own, outer] = [panels[point.place].getBoundingClientRect(), chart.getBoundingClientRect()];
      return { left: own.left - outer.left, top: own.top - outer.top, width: own.width, height: own.height };
    }
    const { left, top, width, height } = frame();
    const [x, y] = [left + (point.x ?? 0) * width, top + (point.y ?? 0) * height];
    if (point.y === null) return { left: x - 0.5, top, width: 1, height };
    if (point.x === null) return { left, top: y - 10, width, height: 20 };
    return { left: x - 5, top: y - 5, width: 10, height: 10 };
  }

  function show(point) {
    if (!point) return;
    current = point;
    tip.textContent = point.lines().join('\n');
    const place = box(point);
    for (const [name, value] of Object.entries(place)) cursor.style[name] = `${value}px`;
    cursor.hidden = tip.hidden = false;
    const before = place.left + place.width / 2 > chart.clientWidth / 2;
    const left = before ? place.left - tip.offsetWidth - 8 : place.left + place.width + 8;
    tip.style.left = `${Math.max(0, Math.min(left, chart.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, Math.min(place.top + 4, chart.clientHeight - tip.offsetHeight))}px`;
  }

  function hide() {
    cursor.hidden = tip.hidden = true;
  }

  function step(key) {
    const list = all();
    const place = list.indexOf(current);
    if (key === 'Home') return list[0];
    if (key === 'End') return list[list.length - 1];
    const forward = key === 'ArrowRight' || key === 'ArrowDown' ? 1 : -1;
    const isGrid = list[0]?.x !== null && list[0]?.y !== null;
    if (!isGrid) return list[Math.max(0, Math.min(list.length - 1, place + forward))];
    // In a grid, up and down stay in the column, left and right go to the nearest cell of the next one.
    const { x, y } = current ?? list[0];
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      return nearest(list.filter((point) => point.x === x && (point.y - y) * forward > 0), x, y) ?? current;
    }
    return nearest(list.filter((point) => (point.x - x) * forward > 0), x, y) ?? current;
  }

  chart.addEventListener('pointermove', (event) => {
    if (panels.length) {
      show(all()[panels.findIndex((panel) => panel.contains(event.target))]);
      return;
    }
    const { left, top, width, height } = frame();
    const outer = chart.getBoundingClientRect();
    show(nearest(all(), (event.clientX - outer.left - left) / width, (event.clientY - outer.top - top) / height));
  });
  chart.addEventListener('pointerleave', hide);
  chart.addEventListener('blur', hide);
  chart.addEventListener('focus', () => {
    if (chart.matches(':focus-visible')) show(current ?? all()[0]);
  });
  chart.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hide();
    if (!['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End'].includes(event.key)) return;
    event.preventDefault();
    show(tip.hidden ? current ?? all()[0] : step(event.key));
  });
}

document.querySelectorAll('figure').forEach(begin);
