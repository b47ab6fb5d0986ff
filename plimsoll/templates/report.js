// Shows the values under the pointer, which each drawing holds as lists with | between them.
// No less-than sign and no ampersand here: the page is well-formed XML, too.
(function () {
  'use strict';
  function make(plot, kind) {
    var made = document.createElement('div');
    made.className = kind;
    made.hidden = true;
    plot.appendChild(made);
    return made;
  }
  function line(text, swatch) {
    var made = document.createElement('div');
    if (swatch) {
      var mark = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      mark.setAttribute('viewBox', '0 0 26 10');
      var path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
      path.setAttribute('class', swatch);
      path.setAttribute('d', 'M1 5H25');
      mark.appendChild(path);
      made.appendChild(mark);
    }
    made.appendChild(document.createTextNode(text));
    return made;
  }
  function nearest(places, x) {
    return places.reduce(function (best, place, index) {
      return Math.abs(places[best] - x) > Math.abs(place - x) ? index : best;
    }, 0);
  }
  // How many are in the cell of a column: the first filled row, and the counts from there on.
  function countIn(column, row) {
    var parts = column.split(' '), first = Number(parts[0]);
    return first > row ? 0 : parts[row - first + 1] || 0;
  }
  document.querySelectorAll('.plot').forEach(function (plot) {
    var svg = plot.querySelector('svg[data-x]');
    if (!svg) { return; }
    var places = svg.dataset.x.split('|').map(Number);
    var moments = svg.dataset.t.split('|');
    var columns = svg.dataset.filled ? svg.dataset.filled.split('|') : [];
    var ranges = svg.dataset.ranges ? svg.dataset.ranges.split('|') : [];
    var lines = Array.from(svg.querySelectorAll('path[data-v]')).map(function (path) {
      return { name: path.dataset.n, kind: path.getAttribute('class'), values: path.dataset.v.split('|') };
    });
    var cursor = make(plot, 'cursor'), tip = make(plot, 'tip');
    plot.addEventListener('pointermove', function (event) {
      var box = svg.getBoundingClientRect();
      var index = nearest(places, (event.clientX - box.left) / box.width * 1000);
      var at = places[index] / 10;
      cursor.style.left = at + '%';
      tip.textContent = '';
      tip.appendChild(line(moments[index]));
      var row = Math.floor((event.clientY - box.top) / box.height * ranges.length);
      if (ranges[row]) { tip.appendChild(line(ranges[row] + '  ' + countIn(columns[index], row))); }
      lines.forEach(function (each) {
        tip.appendChild(line(each.name + '  ' + each.values[index], each.kind));
      });
      tip.style.left = at > 55 ? 'auto' : 'calc(' + at + '% + 10px)';
      tip.style.right = at > 55 ? 'calc(' + (100 - at) + '% + 10px)' : 'auto';
      cursor.hidden = tip.hidden = false;
    });
    plot.addEventListener('pointerleave', function () { cursor.hidden = tip.hidden = true; });
  });
}());
