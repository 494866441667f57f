// Counterfoil's script. Every page works without it; here it becomes nicer. No markup is ever made
// from text: what people typed is set as textContent or value only (SECURITY.md 38b).
(() => {
  "use strict";

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const live = document.getElementById("live");

  // say tells screen readers. A repeated sentence is made new, or it would not be read again.
  const say = (text) => {
    live.textContent = live.textContent === text ? text + "\u00a0" : text;
  };

  const make = (tag, className, text) => {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text) e.textContent = text;
    return e;
  };

  const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;

  // ---- Copy ----
  const copyText = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    // An http base URL other than loopback has no clipboard API: a selection does the same.
    const area = make("textarea", "hush");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser refused to copy");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const words = button.querySelector("span");
    try {
      await copyText(source.textContent);
      say(`${button.dataset.what} copied`);
      words.textContent = "Copied";
      button.classList.add("copy-done");
      setTimeout(() => {
        words.textContent = "Copy";
        button.classList.remove("copy-done");
      }, 2000);
    } catch {
      getSelection().selectAllChildren(source);
      say(`Copying was refused by the browser. The ${button.dataset.what} is selected: press Control C.`);
    }
  });

  // ---- Menus made of <details>: Escape and a click elsewhere close, arrows move ----
  const menus = all("details.more, details.switch");
  document.addEventListener("click", (event) => {
    for (const m of menus) if (m.open && !m.contains(event.target)) m.open = false;
  });
  for (const m of menus) {
    m.addEventListener("keydown", (event) => {
      const stops = all("a, form button", m);
      const at = stops.indexOf(document.activeElement);
      if (event.key === "Escape" && m.open) {
        m.open = false;
        m.querySelector("summary").focus();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        m.open = true;
        const step = event.key === "ArrowDown" ? 1 : -1;
        const next = at < 0 && step < 0 ? stops.length - 1 : at + step;
        stops[(next + stops.length) % stops.length]?.focus();
      }
    });
    m.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !m.contains(event.relatedTarget)) m.open = false;
    });
  }

  // ---- A button that acts is pressed once ----
  for (const form of all("form")) {
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (event.defaultPrevented || !event.submitter?.hasAttribute("data-once")) return;
      if (sent) event.preventDefault();
      sent = true;
    });
    addEventListener("pageshow", () => { sent = false; });
  }

  // ---- Acts that have no page of their own to think on are asked about once more ----
  for (const form of all("form[data-ask]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sure === "yes") return;
      event.preventDefault();
      const button = event.submitter;
      const dialog = make("dialog", "ask");
      const words = make("p", "", form.dataset.ask);
      words.id = "ask-words";
      dialog.setAttribute("aria-labelledby", words.id);
      const row = make("div", "actions");
      const no = make("button", "button", "Cancel");
      const yes = make("button", "button button-main", button.textContent.trim());
      no.type = yes.type = "button";
      const leave = () => {
        dialog.remove();
        button.focus();
      };
      dialog.addEventListener("close", leave); // Escape
      no.addEventListener("click", leave);
      yes.addEventListener("click", () => {
        form.dataset.sure = "yes";
        leave();
        form.requestSubmit(button);
      });
      row.append(no, yes);
      dialog.append(words, row);
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // ---- Is this name free? Asked while one types ----
  for (const input of all("input[data-check]")) {
    const said = make("p", "said");
    said.id = input.id + "-said";
    said.setAttribute("role", "status");
    input.after(said);
    const first = input.value;
    let timer;
    let turn = 0;
    const ask = async () => {
      const mine = ++turn;
      const name = input.value.trim();
      if (name === "" || name === first.trim()) return show("", "");
      const address = new URL(input.dataset.check, location.href);
      address.searchParams.set("name", name);
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" } });
        if (!answer.ok || mine !== turn) return;
        const { free, message } = await answer.json();
        if (mine === turn) show(message, free ? "said-good" : "said-bad");
      } catch {
        show("", ""); // offline: the form itself is checked when it is sent
      }
    };
    const show = (text, tone) => {
      said.textContent = text;
      said.className = `said ${tone}`;
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 300);
    });
  }

  // ---- E-mails as chips. The text area stays the field that is sent ----
  const chips = (area) => {
    const split = (text) => text.split(/[\s,;]+/u).map((t) => t.replace(/^<|>$/g, "")).filter(Boolean);
    const looksRight = (mail) => /^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$/u.test(mail);
    const box = make("div", "chips needs-script");
    const input = make("input");
    input.type = "text";
    input.id = "emails-add";
    input.autocomplete = "off";
    input.inputMode = "email";
    for (const a of ["aria-describedby", "aria-invalid"]) {
      if (area.hasAttribute(a)) input.setAttribute(a, area.getAttribute(a));
    }
    let mails = [];
    const draw = () => {
      area.value = mails.join("\n");
      for (const c of all(".chip", box)) c.remove();
      for (const mail of mails) {
        const chip = make("span", looksRight(mail) ? "chip" : "chip chip-bad");
        chip.append(make("bdi", "", mail));
        const cross = make("button");
        cross.type = "button";
        cross.setAttribute("aria-label", `Remove ${mail}`);
        cross.textContent = "\u00d7";
        cross.addEventListener("click", () => {
          mails = mails.filter((m) => m !== mail);
          draw();
          say(`${mail} removed`);
          input.focus();
        });
        chip.append(cross);
        input.before(chip);
      }
    };
    const add = (text) => {
      const known = new Set(mails.map((m) => m.toLowerCase()));
      const fresh = [];
      for (const mail of split(text)) {
        if (known.has(mail.toLowerCase())) continue;
        known.add(mail.toLowerCase());
        fresh.push(mail);
      }
      mails = [...mails, ...fresh];
      input.value = "";
      draw();
      const wrong = fresh.filter((m) => !looksRight(m));
      if (wrong.length) say(`${wrong.join(", ")} does not look like an e-mail address`);
      else if (fresh.length) say(`${plural(fresh.length, "address", "addresses")} added, ${mails.length} in all`);
    };
    input.addEventListener("keydown", (event) => {
      if (["Enter", ",", ";", " "].includes(event.key) && input.value.trim()) {
        event.preventDefault();
        add(input.value);
      } else if (event.key === "Backspace" && input.value === "" && mails.length) {
        const last = mails.at(-1);
        mails = mails.slice(0, -1);
        draw();
        say(`${last} removed`);
      }
    });
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text");
      if (split(text).length > 1) {
        event.preventDefault();
        add(input.value + " " + text);
      }
    });
    input.addEventListener("blur", () => { if (input.value.trim()) add(input.value); });
    box.addEventListener("click", (event) => { if (event.target === box) input.focus(); });
    area.form.addEventListener("submit", () => { if (input.value.trim()) add(input.value); });
    box.append(input);
    area.before(box);
    area.hidden = true;
    document.querySelector('label[for="emails"]').htmlFor = input.id;
    for (const a of all('a[href="#emails"]')) a.href = `#${input.id}`;
    mails = split(area.value);
    draw();
  };
  const emails = document.getElementById("emails");
  if (emails) chips(emails);

  // ---- A list with a search field of its own ----
  for (const list of all("[data-filter-list]")) {
    const by = list.querySelector("[data-filter-by]");
    const rows = all("li", list);
    const filter = () => {
      const words = by.value.trim().toLowerCase();
      for (const r of rows) r.hidden = !r.textContent.toLowerCase().includes(words);
    };
    by.addEventListener("input", filter);
    by.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }

  // ---- Scopes ----
  const scopes = (root) => {
    const boxes = all('input[name="scope"]', root);
    const byValue = new Map(boxes.map((b) => [b.value, b]));
    const groups = all("[data-category]", root).map((group) => ({
      group,
      toggle: group.querySelector("[data-toggle]"),
      boxes: all('input[name="scope"]', group),
      count: group.querySelector("[data-count]"),
      kept: [], // what was ticked when the switch went off
    }));
    const groupOf = new Map(groups.flatMap((g) => g.boxes.map((b) => [b, g])));
    const nameOf = (box) => box.parentElement.querySelector("label").textContent.trim();
    const free = (box) => !box.disabled;
    const total = root.querySelector("[data-count-all]");

    const count = () => {
      let sum = 0;
      for (const g of groups) {
        const n = g.boxes.filter((b) => b.checked).length;
        g.count.textContent = `${n} of ${g.boxes.length}`;
        sum += n;
      }
      total.textContent = String(sum);
    };

    const why = (box, text) => {
      let note = box.parentElement.querySelector("[data-why]");
      if (!text) return note?.remove();
      if (!note) {
        note = make("p", "box-why");
        note.dataset.why = "";
        box.parentElement.querySelector(".box-about").append(note);
      }
      note.textContent = text;
    };

    const open = (box) => {
      const g = groupOf.get(box);
      if (g && box.checked) g.toggle.checked = true;
    };

    // A scope that needs another ticks it and says why.
    const follow = (box, told = []) => {
      for (const value of (box.dataset.needs || "").split(" ").filter(Boolean)) {
        const other = byValue.get(value);
        if (!other || other.checked) continue;
        if (!free(other)) {
          why(box, `Needs ${nameOf(other)}, which you may not give.`);
          continue;
        }
        other.checked = true;
        open(other);
        why(other, `Ticked because ${nameOf(box)} needs it.`);
        told.push(nameOf(other));
        follow(other, told);
      }
      return told;
    };

    const neededBy = (box) => boxes.filter((b) => b.checked && (b.dataset.needs || "").split(" ").includes(box.value));

    root.addEventListener("change", (event) => {
      const box = event.target;
      if (box.matches("[data-toggle]")) {
        const g = groups.find((x) => x.toggle === box);
        if (box.checked) {
          for (const b of g.kept) b.checked = true;
        } else {
          g.kept = g.boxes.filter((b) => b.checked);
          for (const b of g.kept) b.checked = false;
        }
      } else if (box.name === "scope") {
        why(box, "");
        open(box);
        if (box.checked) {
          const told = follow(box);
          if (told.length) say(`Also ticked, because ${nameOf(box)} needs it: ${told.join(", ")}`);
        } else {
          const others = neededBy(box).map(nameOf);
          if (others.length) {
            why(box, `${others.join(", ")} will not work without it.`);
            say(`${others.join(", ")} will not work without ${nameOf(box)}`);
          }
        }
      }
      count();
    });

    // Clear All, Read only, All and None remember what was, so that one press takes them back.
    let undo;
    const act = (words, change, beside) => {
      const before = boxes.map((b) => b.checked);
      const switches = groups.map((g) => g.toggle.checked);
      change();
      for (const b of boxes) why(b, "");
      count();
      say(`${words} ${total.textContent} ticked.`);
      undo?.remove();
      undo = make("button", "button", "Undo");
      undo.type = "button";
      undo.addEventListener("click", () => {
        boxes.forEach((b, i) => { b.checked = before[i]; });
        groups.forEach((g, i) => { g.toggle.checked = switches[i]; });
        count();
        undo.remove();
        undo = undefined;
        beside.focus();
        say(`Taken back. ${total.textContent} ticked.`);
      });
      root.querySelector("[data-clear]").after(undo);
    };

    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-clear], [data-read-only], [data-all], [data-nothing]");
      if (!button) return;
      event.preventDefault();
      if (button.hasAttribute("data-clear")) {
        act("Cleared.", () => {
          for (const b of boxes) b.checked = false;
          for (const g of groups) g.toggle.checked = false;
        }, button);
      } else if (button.hasAttribute("data-read-only")) {
        act("Read only.", () => {
          // A sensitive scope stays as it is: nobody gives it without having looked at it.
          for (const b of boxes) b.checked = b.hasAttribute("data-read") && (b.checked || free(b) && !b.hasAttribute("data-sensitive"));
          for (const g of groups) g.toggle.checked = g.boxes.some((b) => b.checked);
        }, button);
      } else {
        const on = button.hasAttribute("data-all");
        const g = groups.find((x) => x.group.contains(button));
        act(on ? "All in this category." : "None in this category.", () => {
          for (const b of g.boxes) if (free(b) || !on) b.checked = on;
          if (on) g.toggle.checked = true;
          for (const b of g.boxes) if (b.checked) follow(b);
        }, button);
      }
    });

    // Search shows what matches, also in categories that are off.
    const search = root.querySelector("[data-scope-search]");
    const none = root.querySelector("[data-none]");
    const rows = boxes.map((b) => ({ row: b.closest("li"), text: b.closest("li").textContent.toLowerCase(), box: b }));
    const filter = () => {
      const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const r of rows) {
        const g = groupOf.get(r.box);
        const name = g.toggle.parentElement.textContent.toLowerCase();
        const hit = words.every((w) => r.text.includes(w) || name.includes(w));
        r.row.hidden = !hit;
        if (hit) found++;
      }
      for (const g of groups) {
        const hit = g.boxes.some((b) => !b.closest("li").hidden);
        g.group.hidden = !hit;
        g.group.classList.toggle("category-found", words.length > 0 && hit);
      }
      for (const a of all(".scopes-api", root)) a.hidden = all("[data-category]", a).every((g) => g.hidden);
      none.hidden = found > 0;
      if (words.length) say(`${plural(found, "scope matches", "scopes match")}`);
    };
    search.addEventListener("input", filter);
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    if (search.value) filter();
    count();
  };
  for (const s of all("[data-scopes]")) scopes(s);

  // A link from a refused call leads to its box.
  document.querySelector(".box-marked")?.scrollIntoView({ block: "center" });

  // ---- Waiting for the first call ----
  for (const status of all("[data-first-call]")) {
    const text = status.querySelector("[data-first-call-text]");
    const began = Date.now();
    const ask = async () => {
      let wait = Date.now() - began < 120000 ? 1500 : 6000;
      try {
        const answer = await fetch(status.dataset.firstCall, { headers: { Accept: "application/json" } });
        if (answer.ok) {
          const { called, message } = await answer.json();
          if (called) {
            text.textContent = message;
            status.classList.add("first-call-here");
            return;
          }
        } else if (answer.status < 500) {
          return; // signed out or gone: the page itself stays as it is
        }
      } catch {
        wait = 6000; // the network is away; go on asking, slowly
      }
      if (Date.now() - began < 1800000) setTimeout(ask, wait);
      else text.textContent = "No call in the last half hour. Reload the token's page to look again.";
    };
    setTimeout(ask, 800);
  }
})();
