// Opens denials in headless Chromium. Prints one line of JSON.
//
// Usage: node browser.js CHROMIUM GUARDED ALLOWED FOREIGN [SCREENSHOT], the last but one being URLs of origins.
"use strict";

const { chromium } = require("playwright-core");
const axe = require("axe-core");

const [executablePath, guarded, allowed, foreign, screenshot] = process.argv.slice(2);
const PHONE = "13800000000";

// Submits the login form of the guarded origin, and looks at the page that comes back.
async function page(browser, locale, colorScheme, width, token) {
  const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 568 } });
  const page = await context.newPage();
  await page.goto(`${guarded}/`);
  const [response] = await Promise.all([
    page.waitForNavigation(),
    page.evaluate(
      ([token, phone]) => {
        document.querySelector("[name=token]").value = token;
        document.querySelector("[name=phone]").value = phone;
        document.querySelector("form").submit();
      },
      [token, PHONE],
    ),
  ]);
  const seen = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    alert: document.querySelector("[role=alert]").innerText,
    code: document.querySelector("code").innerText,
    scrolls: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
  }));
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => axe.run(document, { preload: false }));
  const image = await page.screenshot({ type: "png" });
  await context.close();
  return {
    case: `${locale} ${colorScheme} ${width} ${token}`,
    status: response.status(),
    type: response.headers()["content-type"],
    ...seen,
    violations: violations.map((violation) => `${violation.id}: ${violation.help}`),
    passes: passes.length,
    image,
  };
}

// What a script of a page of this origin learns of a denial; the page may be in a sandboxed frame, whose origin is `null`.
async function fetched(browser, origin, isSandboxed) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  let frame = page.mainFrame();
  if (isSandboxed) {
    await page.evaluate(() => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.srcdoc = "<p>sandboxed";
      const loaded = new Promise((resolve) => (frame.onload = resolve));
      document.body.append(frame);
      return loaded;
    });
    frame = page.frames().find((frame) => frame !== page.mainFrame());
  }
  const answers = await frame.evaluate(
    async ([url, phone]) => {
      const ask = async (settings) => {
        const body = new URLSearchParams({ token: "sandbox-9005", phone });
        try {
          const response = await fetch(url, { method: "POST", body, ...settings });
          const { type, status } = response;
          if (type === "opaque") return { type, status, text: await response.text() };
          return { type, status, code: (await response.json()).code, retryAfter: response.headers.get("retry-after") };
        } catch (error) {
          return { error: error.name };
        }
      };
      return {
        origin: self.origin,
        cors: await ask({ mode: "cors" }),
        credentials: await ask({ mode: "cors", credentials: "include" }),
        noCors: await ask({ mode: "no-cors" }),
      };
    },
    [`${guarded}/login`, PHONE],
  );
  await context.close();
  return answers;
}

// All images in one, two in a row.
async function keep(browser, images, path) {
  const page = await browser.newPage({ viewport: { width: 652, height: 680 } });
  const sources = images.map((image) => `<img src="data:image/png;base64,${image.toString("base64")}">`);
  await page.setContent(
    `<body style="margin:4px;display:grid;grid-template-columns:320px 320px;gap:4px;background:#888">${sources.join("")}`,
  );
  await page.addStyleTag({ content: "img { width: 320px; height: 334px; object-fit: cover; }" });
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.screenshot({ path, type: "png" });
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    const pages = [];
    for (const locale of ["en-US", "zh-CN"]) {
      for (const scheme of ["light", "dark"]) {
        for (const token of ["sandbox-9005", "sandbox-9001", ""]) {
          pages.push(await page(browser, locale, scheme, 320, token));
        }
        pages.push(await page(browser, locale, scheme, 1280, "sandbox-9005"));
      }
    }
    if (screenshot) {
      await keep(browser, pages.filter((page) => page.case.endsWith("320 sandbox-9005")).map((page) => page.image), screenshot);
    }
    const fetches = {
      allowed: await fetched(browser, allowed, false),
      foreign: await fetched(browser, foreign, false),
      null: await fetched(browser, allowed, true),
    };
    const shown = pages.map(({ image, ...rest }) => rest);
    console.log(JSON.stringify({ version: browser.version(), pages: shown, fetches }));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
