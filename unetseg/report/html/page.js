"use strict";

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Shows one picture of the gallery at a time, with two arms' masks and a wipe between them. */
function makeViewer(root, data) {
  const views = findAll("[data-view]", root);
  const wipe = find("[data-wipe]", root);
  const arms = { left: find("[data-arm=left]", root), right: find("[data-arm=right]", root) };
  let shown = 0;

  function draw() {
    const picture = data.pictures[shown];
    find("[data-title]", root).textContent = `${picture.name} (${shown + 1} of ${data.pictures.length})`;
    for (const stage of views) {
      const view = picture[stage.dataset.view];
      const [width, height] = stage.dataset.view === "whole" ? [1, 1] : picture.box.slice(2);
      stage.style.aspectRatio = `${picture.width * width} / ${picture.height * height}`;
      const photo = find(".photo", stage);
      photo.hidden = !view.photo;
      if (view.photo) photo.src = view.photo;
      photo.alt = stage.dataset.view === "whole" ? `Photograph ${picture.name}` : "Part of it, enlarged";
      for (const [side, select] of Object.entries(arms)) {
        find(`.layer.${side}`, stage).src = view.layers[select.value];
        find(`.layer.${side}`, stage).alt = `Mask on the ${side}: ${data.arms[select.value]}`;
        find(`.tag.${side}`, stage).textContent = data.arms[select.value];
      }
    }
    const [left, top, width, height] = picture.box.map((share) => `${100 * share}%`);
    Object.assign(find(".box", root).style, { left, top, width, height });
    drawScores(picture);
    findAll("[data-strip] button", root).forEach((button, index) => {
      button.setAttribute("aria-pressed", String(index === shown));
    });
    findAll(".plot [data-image]").forEach((point) => {
      point.classList.toggle("chosen", Number(point.dataset.image) === shown);
    });
  }

  function drawScores(picture) {
    const table = find("[data-scores]", root);
    const row = (tag, texts) => {
      const line = document.createElement("tr");
      texts.forEach((text, index) => {
        const cell = document.createElement(tag === "th" || index === 0 ? "th" : "td");
        if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
        cell.className = index === 0 ? "words" : "";
        cell.textContent = text;
        line.append(cell);
      });
      return line;
    };
    find("thead", table).replaceChildren(row("th", ["Mask", ...data.scores]));
    const sides = [...new Set([arms.left.value, arms.right.value])].filter((arm) => arm > 0);
    find("tbody", table).replaceChildren(
      ...sides.map((arm) => row("td", [data.arms[arm], ...picture.scores[arm - 1]]))
    );
  }

  function show(index) {
    shown = (index + data.pictures.length) % data.pictures.length;
    draw();
    const button = findAll("[data-strip] button", root)[shown];
    const strip = button.parentElement;
    strip.scrollLeft = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + button.offsetWidth / 2;
  }

  function setWipe() {
    views.forEach((stage) => stage.style.setProperty("--wipe", `${wipe.value}%`));
  }

  function drag(event, stage) {
    const area = stage.getBoundingClientRect();
    wipe.value = (100 * (event.clientX - area.left)) / area.width;
    setWipe();
  }

  data.pictures.forEach((picture, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", picture.name);
    button.title = picture.name;
    if (picture.whole.photo) {
      const image = document.createElement("img");
      image.src = picture.whole.photo;
      image.alt = "";
      button.append(image);
    } else {
      button.textContent = picture.name;
    }
    button.addEventListener("click", () => show(index));
    find("[data-strip]", root).append(button);
  });
  for (const select of Object.values(arms)) {
    data.arms.forEach((arm, index) => select.add(new Option(arm, index)));
    select.addEventListener("change", draw);
  }
  arms.left.value = data.arms.length > 2 ? 1 : 0;
  arms.right.value = data.arms.length > 2 ? 2 : 1;
  wipe.addEventListener("input", setWipe);
  find("[data-show]", root).addEventListener("change", (event) => {
    views.forEach((stage) => stage.classList.toggle("bare", !event.target.checked));
  });
  findAll("[data-step]", root).forEach((button) => {
    button.addEventListener("click", () => show(shown + Number(button.dataset.step)));
  });
  views.forEach((stage) => {
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      drag(event, stage);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) drag(event, stage);
    });
  });
  root.hidden = false;
  setWipe();
  show(0);
  return (index) => {
    show(index);
    find("[data-title]", root).focus({ preventScroll: true });
    root.scrollIntoView();
  };
}

/** Lets the points of a block of figures be read and chosen, by pointer and by keyboard. */
function makeAnswering(block, choose) {
  const hint = block.nextElementSibling;
  for (const plot of findAll(".plot", block)) {
    const points = findAll("[data-image]", plot);
    if (!points.length) continue;
    let near = null;
    const read = (point) => {
      near?.classList.remove("near");
      near = point;
      near?.classList.add("near");
      if (near) hint.textContent = near.getAttribute("aria-label");
    };
    const nearest = (event) => {
      let best = null;
      let least = 24;
      for (const point of points) {
        const area = point.getBoundingClientRect();
        const x = area.left + area.width / 2 - event.clientX;
        const distance = Math.hypot(x, area.top + area.height / 2 - event.clientY);
        if (distance < least) [best, least] = [point, distance];
      }
      return best;
    };
    points.forEach((point, index) => {
      point.setAttribute("tabindex", index === 0 ? "0" : "-1");
      point.setAttribute("role", "button");
      point.addEventListener("focus", () => read(point));
      point.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (event.key === "Enter" || event.key === " ") choose(Number(point.dataset.image));
        else if (step) {
          const next = points[(index + step + points.length) % points.length];
          point.setAttribute("tabindex", "-1");
          next.setAttribute("tabindex", "0");
          next.focus();
        } else return;
        event.preventDefault();
      });
    });
    plot.addEventListener("pointermove", (event) => read(nearest(event)));
    plot.addEventListener("pointerleave", () => read(null));
    plot.addEventListener("click", (event) => {
      const point = nearest(event);
      if (point) choose(Number(point.dataset.image));
    });
  }
}

const pictures = document.getElementById("pictures");
const data = pictures ? JSON.parse(pictures.textContent) : { pictures: [] };
if (data.pictures.length) {
  const choose = makeViewer(find("[data-viewer]"), data);
  findAll("[data-points]").forEach((block) => makeAnswering(block, choose));
}
