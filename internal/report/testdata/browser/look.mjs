// Opens pages in a real browser at three widths and in both colour schemes and says what is wrong with them.
// node look.mjs CHROMIUM FOLDER PAGE…: one line a fault on stdout; FOLDER gets a picture of each.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(join(process.cwd(), 'package.json'))
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const [program, folder, ...pages] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage'] }).catch(e => {
  console.log(`the browser does not start: ${e.message.split('\n')[0]}`)
  process.exit(77)
})
const fault = (page, text) => console.log(`${basename(page)}: ${text}`)

for (const page of pages) {
  for (const width of [1400, 800, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled: true })
      const tab = await context.newPage()
      const own = pathToFileURL(resolve(page)).href
      tab.on('console', m => ['error', 'warning'].includes(m.type()) && fault(page, `console: ${m.text()}`))
      tab.on('pageerror', e => fault(page, `error: ${e.message}`))
      tab.on('dialog', async d => { fault(page, `dialog: ${d.message()}`); await d.dismiss() })
      tab.on('request', r => r.url() !== own && fault(page, `asks for ${r.url()}`))
      await tab.goto(own)
      await tab.evaluate(() => document.querySelectorAll('details').forEach(e => { e.open = true }))
      const seen = await tab.evaluate(() => {
        const luminance = c => {
          const [r, g, b] = c.match(/[\d.]+/g).map(Number).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        const contrast = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05)
        const paper = getComputedStyle(document.body).backgroundColor
        return {
          wide: document.documentElement.scrollWidth - window.innerWidth,
          scripts: document.scripts.length,
          links: document.querySelectorAll('a, link, iframe, img, object, embed, form').length,
          heading: document.querySelector('h1')?.getBoundingClientRect().bottom ?? 1e9,
          pale: [...document.querySelectorAll('h1, h2, dt, td, th, li b, summary')].map(e => contrast(getComputedStyle(e).color, paper)).reduce((a, b) => Math.min(a, b), 99),
          unnamed: [...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length,
          headers: [...document.querySelectorAll('table')].filter(t => !t.querySelector('th[scope]')).length,
        }
      })
      if (seen.wide > 0) fault(page, `${seen.wide} pixels too wide at ${width}`)
      if (seen.scripts) fault(page, `${seen.scripts} scripts`)
      if (seen.links) fault(page, `${seen.links} elements that lead or load from elsewhere`)
      if (seen.heading > 900) fault(page, `the verdict is not in the first screen at ${width}`)
      if (seen.pale < 4.5) fault(page, `contrast ${seen.pale.toFixed(1)} in ${colorScheme} colours (WCAG 1.4.3 wants 4.5)`)
      if (seen.unnamed) fault(page, `${seen.unnamed} pictures without words`)
      if (seen.headers) fault(page, `${seen.headers} tables without headers`)
      if (width === 800 && !/^many/.test(basename(page))) {
        await tab.evaluate(axe)
        for (const v of await tab.evaluate(async () => (await globalThis.axe.run()).violations)) fault(page, `axe: ${v.id} (${v.impact}) at ${v.nodes[0].target}: ${v.help}`)
      }
      if (width === 1400 && colorScheme === 'light') {
        await tab.evaluate(() => document.querySelectorAll('details').forEach(e => { e.open = false }))
        const folds = await tab.locator('summary').count()
        if (folds) {
          await tab.keyboard.press('Tab')
          if (await tab.evaluate(() => document.activeElement.tagName) !== 'SUMMARY') fault(page, 'the first Tab does not lead to something that opens')
          await tab.keyboard.press('Enter')
          if (!await tab.evaluate(() => document.activeElement.closest('details')?.open)) fault(page, 'Enter opens nothing')
        }
        await tab.emulateMedia({ media: 'print', colorScheme })
        const folded = await tab.evaluate(() => [...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility({ contentVisibilityAuto: true }) || !e.getClientRects().length).length)
        if (folded) fault(page, `${folded} parts are left out on paper`)
        await tab.emulateMedia({ media: 'screen', colorScheme })
        const paper = await tab.pdf({ path: join(folder, `${basename(page, '.html')}.pdf`), format: 'A4' })
        if (paper.subarray(0, 4).toString() !== '%PDF') fault(page, 'cannot be printed')
      }
      await tab.screenshot({ path: join(folder, `${basename(page, '.html')}-${width}-${colorScheme}.png`), fullPage: !/^many/.test(basename(page)) })
      await context.close()
    }
  }
}
await browser.close()
console.log(`${pages.length} pages looked at`)
