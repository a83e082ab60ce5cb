/** Tells whoever listens about each answer the server gave to an operation run in GraphiQL. */
export interface Answer {
  operationName: string | undefined;
  result: unknown;
}

export class Answers {
  private readonly listeners = new Set<(answer: Answer) => void>();

  listen(listener: (answer: Answer) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(answer: Answer): void {
    for (const listener of this.listeners) listener(answer);
  }
}
