import type { Graph } from './contract.ts';

/** All sources and stages that records pass on their way to a stage, each once. */
export function nodesBefore(id: string, graph: Graph): string[] {
  const inputs = graph.stages.find((stage) => stage.id === id)?.inputs ?? [];
  return [...new Set(inputs.flatMap((input) => [...nodesBefore(input, graph), input]))];
}
