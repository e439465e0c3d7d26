const part = (id) => document.getElementById(id);

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function item(note) {
  const row = document.createElement("li");
  const title = document.createElement("h2");
  const text = document.createElement("p");
  const time = document.createElement("time");
  const when = new Date(note.created_at * 1000);
  title.textContent = note.title;
  text.textContent = note.text;
  time.dateTime = when.toISOString();
  time.textContent = when.toLocaleString();
  row.append(title, text, time);
  return row;
}

async function show() {
  const { domain, count, notes } = await ask("/api/notes");
  part("domain").textContent = domain;
  part("count").textContent = count === 1 ? "1 note" : `${count} notes`;
  part("notes").replaceChildren(...notes.map(item));
  part("version").textContent = (await ask("/api/version")).version;
}

async function keep(event) {
  event.preventDefault();
  const body = JSON.stringify({ text: part("text").value });
  await ask("/api/notes", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  part("new").reset();
  await show();
}

async function guarded(work) {
  try {
    await work();
    part("trouble").hidden = true;
  } catch (error) {
    part("trouble").textContent = `That did not work: ${error.message}. Please try again.`;
    part("trouble").hidden = false;
  }
}

part("new").addEventListener("submit", (event) => guarded(() => keep(event)));
guarded(show);
