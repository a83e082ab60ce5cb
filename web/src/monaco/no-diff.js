// Monaco's programming interface names its two editors for differences, and so brings them along.
// This page shows no differences; vite.config.js puts these in their place.
export class DiffEditorWidget {}
export class MultiDiffEditorWidget {}
