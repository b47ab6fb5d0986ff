//! The page in a real browser: what it shows at two widths, light and dark, under the pointer and on
//! paper.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;

/// Looks at the page from within, and tells the page around it.
const PROBE: &str = r##"<script>
addEventListener('load', function () {
  var all = function (selector) { return Array.from(document.querySelectorAll(selector)); };
  var broken = [];
  var expect = function (holds, what) { if (!holds) { broken.push(what); } };
  var wide = document.documentElement.scrollWidth;
  expect(wide <= innerWidth, 'the page is ' + wide + ' wide');
  expect(performance.getEntriesByType('resource').length === 0, 'something was loaded');
  var dark = matchMedia('(prefers-color-scheme: dark)').matches;
  var shade = getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3);
  expect(shade.every(function (part) { return dark ? part < 100 : part > 150; }), 'shade ' + shade);
  all('a[href]').forEach(function (link) {
    var to = link.getAttribute('href');
    expect(to[0] === '#' && document.getElementById(to.slice(1)), 'link ' + to);
  });
  all('.plot').forEach(function (plot, index) {
    var svg = plot.querySelector('svg'), box = svg.getBoundingClientRect();
    expect(box.width > 200 && box.height > 8, 'plot ' + index + ' is ' + box.width + ' x ' + box.height);
    expect(box.left >= 0 && box.right <= innerWidth, 'plot ' + index + ' sticks out');
    if (!svg.dataset.x) { return; }
    var x = 0.5, y = 0.5, told = svg.dataset.t.split('|').pop();
    if (svg.dataset.filled) {
      var columns = svg.dataset.filled.split('|'), ranges = svg.dataset.ranges.split('|');
      var column = columns.findIndex(Boolean), cell = columns[column].split(' ');
      var row = Number(cell[0]) + cell.length - 2;
      x = svg.dataset.x.split('|')[column] / 1000;
      y = (row + 0.5) / ranges.length;
      told = ranges[row] + '  ' + cell.pop();
    } else { x = 1; }
    plot.dispatchEvent(new PointerEvent('pointermove', {
      clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
    var tip = plot.querySelector('.tip');
    expect(!tip.hidden && tip.textContent.includes(told), 'under the pointer: ' + tip.textContent);
  });
  parent.postMessage([innerWidth, dark, all('.plot').length, broken.length, broken.join('; ')].join(' '), '*');
});
</script></body>"##;

/// A page around another, that wide, which keeps what it tells.
fn frame(width: u32) -> String {
    format!(
        "<!DOCTYPE html><body><pre id='found'></pre><script>addEventListener('message', e => \
         document.getElementById('found').textContent = e.data)</script>\
         <iframe src='probed.html' style='width:{width}px;height:900px;border:0'></iframe></body>"
    )
}

/// The first of these programs that is on the path.
fn program(names: &[&str], script: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path)
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)).collect::<Vec<_>>());
    let found = all.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: needs {} ({script})", names[0]);
    }
    found
}

fn browser() -> Option<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome"], "scripts/real/chromium")
}

fn look(browser: &Path, dir: &Path, page: &str, flags: &[&str]) -> Output {
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let common = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"];
    let nowhere = "--host-resolver-rules=MAP * ~NOTFOUND";
    let mut command = Command::new(browser);
    command.args(common).args([&profile, nowhere]).args(flags);
    let output = command.arg(format!("file://{}", dir.join(page).display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(":CONSOLE"), "{said}");
    output
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (html, _) = page_of(&Shape { bad: 6..9, ..Shape::small("quickstart") });
    fs::write(dir.join("report.html"), &html).unwrap();
    fs::write(dir.join("probed.html"), html.replace("</body>", PROBE)).unwrap();
    for (width, scheme, dark) in
        [(1280, 1, false), (390, 1, false), (1280, 0, true), (390, 0, true)]
    {
        fs::write(dir.join("frame.html"), frame(width)).unwrap();
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let flags =
            ["--dump-dom", "--virtual-time-budget=10000", "--window-size=1400,1000", &scheme];
        let output = look(&browser, dir, "frame.html", &flags);
        let dom = String::from_utf8_lossy(&output.stdout);
        let found = dom.split("<pre id=\"found\">").nth(1).and_then(|rest| rest.split('<').next());
        let found: Vec<_> = found.unwrap_or(&dom).splitn(5, ' ').collect();
        let plots = html.matches("class=\"plot").count().to_string();
        let expected = [width.to_string(), dark.to_string(), plots, "0".to_owned(), String::new()];
        assert_eq!(found, expected);
    }
}

/// How much of the height of a page is used, and its words.
fn filled(page: &str) -> (f64, usize) {
    let number = |text: &str, name: &str| -> f64 {
        let value = text.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        value.parse().unwrap()
    };
    let height = number(page, "height");
    let words: Vec<_> = page.lines().filter(|line| line.contains("<word ")).collect();
    let lowest = words.iter().map(|word| number(word, "yMax")).fold(0.0, f64::max);
    (lowest / height, words.len())
}

#[test]
fn the_page_on_paper_has_no_half_empty_pages() {
    let Some(browser) = browser() else { return };
    let Some(pdftotext) = program(&["pdftotext"], "scripts/real/poppler") else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (html, _) = page_of(&Shape { bad: 6..9, ..Shape::small("quickstart") });
    fs::write(dir.join("report.html"), html).unwrap();
    let pdf = dir.join("report.pdf");
    let print = format!("--print-to-pdf={}", pdf.display());
    look(&browser, dir, "report.html", &[&print, "--no-pdf-header-footer"]);
    let text = Command::new(pdftotext).arg("-bbox").args([&pdf, Path::new("-")]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout);
    let pages: Vec<_> = text.split("<page ").skip(1).map(filled).collect();
    let [full @ .., (_, words)] = &pages[..] else { panic!("no page: {text}") };
    assert!(pages.len() <= 4, "{pages:?}");
    assert!(full.iter().all(|(share, _)| *share > 0.6), "{pages:?}");
    assert!(*words > 20, "the last page holds hardly more than the footer: {pages:?}");
}
