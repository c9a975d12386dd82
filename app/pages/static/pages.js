"use strict";
// Pages work without this script; it adds the reader's time zone and conveniences.

const language = document.documentElement.lang;
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
