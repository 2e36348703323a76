/** The headers of an HTML page. Only what the policy names is loaded. @param policy sources of scripts and styles, and further rules */
export function htmlHeaders(...policy: string[]): Record<string, string> {
  const rules = ["default-src 'none'", ...policy, 'img-src data:', "base-uri 'none'", "form-action 'self'"];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [...rules, "frame-ancestors 'none'"].join('; '),
    // With no-referrer the browser would send no Origin with a form.
    'referrer-policy': 'same-origin',
  };
}

/** @param title text @param head markup @param body markup */
export function htmlPage(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Breakwater</title>
<link rel="icon" id="icon" href="data:,">
${head}
</head>
<body>
${body}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
