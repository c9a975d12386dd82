"use strict";
// Pages work without this script; it adds the reader's time zone and conveniences.

const chosen = document.documentElement.lang;
const language = navigator.languages.find((each) => each.split("-")[0] === chosen) || chosen;
const styles = {
  datetime: { dateStyle: "medium", timeStyle: "short" },
  date: { dateStyle: "full" },
  time: { timeStyle: "short" },
};

function localizeTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const style = styles[element.dataset.style];
    if (style && !Number.isNaN(at.getTime())) {
      element.textContent = new Intl.DateTimeFormat(language, style).format(at);
    }
  }
}

localizeTimes(document);

// A choice of language or theme takes effect at once.
for (const choice of document.querySelectorAll(".foot select")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// Commands are copied at a click.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// Forms send local times, and how far UTC is ahead of them.
for (const field of document.querySelectorAll("[data-offset]")) {
  field.value = String(new Date().getTimezoneOffset());
}

const entries = document.getElementById("entries");

// The days of the timeline are those of the reader, whatever the server took them for.
function groupByDay() {
  entries.querySelectorAll(":scope > .day").forEach((day) => day.remove());
  const format = new Intl.DateTimeFormat(language, styles.date);
  let last = null;
  for (const entry of entries.querySelectorAll(":scope > .entry")) {
    const at = new Date(entry.dataset.at);
    const known = !Number.isNaN(at.getTime());
    const day = known ? format.format(at) : entries.dataset.unknown;
    if (day !== last) {
      const heading = document.createElement("h2");
      heading.textContent = day;
      if (known) heading.title = entry.dataset.at;
      const item = document.createElement("li");
      item.className = "day";
      item.append(heading);
      entry.before(item);
      last = day;
    }
  }
}

async function load(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  localizeTimes(page);
  return page;
}

function known(entry) {
  return document.getElementById(entry.id);
}

// Older entries come while the reader scrolls; without the script they are a page of their own.
function followOlder() {
  const link = document.getElementById("older");
  if (!link) return;
  let busy = false;
  const more = async () => {
    if (busy) return;
    busy = true;
    link.setAttribute("aria-busy", "true");
    try {
      const page = await load(link.href);
      const found = [...page.querySelectorAll("#entries > .entry")].filter((e) => !known(e));
      entries.append(...found);
      groupByDay();
      const next = page.getElementById("older");
      if (next) {
        link.href = next.href;
      } else {
        watch.disconnect();
        link.remove();
      }
      link.removeAttribute("aria-busy");
      busy = false;
      if (next) {
        watch.unobserve(link); // so that a link still in sight is seen again
        watch.observe(link);
      }
    } catch {
      watch.disconnect(); // the link itself still works
      busy = false;
    }
  };
  const watch = new IntersectionObserver((seen) => {
    if (seen.some((each) => each.isIntersecting)) more();
  }, { rootMargin: "600px" });
  watch.observe(link);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    more();
  });
}

// New and changed entries appear while one looks.
function followNew() {
  const news = document.getElementById("news");
  let count = 0;
  const look = async () => {
    if (document.hidden) return;
    let page;
    try {
      page = await load(location.href);
    } catch {
      return;
    }
    let anchor = null;
    for (const entry of page.querySelectorAll("#entries > .entry")) {
      const old = known(entry);
      if (old && old.dataset.digest !== entry.dataset.digest && !old.contains(document.activeElement)) {
        old.replaceWith(entry);
        anchor = entry;
      } else if (old) {
        anchor = old;
      } else {
        entry.classList.add("fresh");
        if (anchor) anchor.after(entry); else entries.prepend(entry);
        anchor = entry;
        count += 1;
      }
    }
    if (count) {
      groupByDay();
      document.querySelector(".empty")?.remove();
      news.textContent = count === 1 ? news.dataset.one : news.dataset.many.replace("{count}", count);
    }
  };
  setInterval(look, Number(entries.dataset.seconds || 10) * 1000);
  document.addEventListener("visibilitychange", look);
}

if (entries) {
  groupByDay();
  followOlder();
  if (entries.dataset.poll === "yes") followNew();
}
