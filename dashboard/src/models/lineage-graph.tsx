import { useComputedColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Controls, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { lineage } from '../api/queries.ts';
import type { Lineage, LineageNode } from '../api/schema.ts';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import classes from './lineage-graph.module.css';
import { ModelName } from './model-name.tsx';

/** Ops need less room than models, whose names are long. */
const COLUMN = { model: 300, op: 200 };
const ROW = 104;

type Placed = Node<{ node: LineageNode; self: boolean }, 'lineage'>;

export default function LineageGraph({ modelId }: { modelId: string }) {
  const found = useQuery(lineage(modelId));
  const scheme = useComputedColorScheme('light');
  const graph = useMemo(() => found.data && layOut(found.data, modelId), [found.data, modelId]);
  if (found.isError) return <ProblemNote error={found.error} onRetry={() => found.refetch()} />;
  if (!graph) return <Waiting for="the lineage" />;
  return (
    <div className={classes.frame} style={{ height: graph.height }}>
      <ReactFlow
        nodes={graph.nodes}
        edges={graph.edges}
        nodeTypes={NODE_TYPES}
        colorMode={scheme}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.04 }}
        minZoom={0.1}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        preventScrolling={false}
        aria-label="Lineage, from its roots on the left to the model on the right"
      >
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function LineageCard({ data: { node, self } }: NodeProps<Placed>) {
  return (
    <div
      className={classes.node}
      data-kind={node.kind}
      data-narrow={!node.model_id || undefined}
      data-self={self || undefined}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className={classes.kind}>{node.kind}</span>
      {node.model_id && !self ? (
        <Link href={`/models/${node.model_id}?tab=lineage`}>
          <ModelName name={node.name} />
        </Link>
      ) : (
        <b>
          <ModelName name={node.name} />
        </b>
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

const NODE_TYPES = { lineage: LineageCard };

/** Columns by the longest way from a root, so that every edge points right. */
function layOut(
  { nodes, edges }: Lineage,
  modelId: string,
): { nodes: Placed[]; edges: Edge[]; height: number } {
  const column = new Map(nodes.map(({ id }) => [id, 0]));
  for (let pass = 0, moved = true; moved && pass < nodes.length; pass += 1) {
    moved = false;
    for (const { source, target } of edges) {
      const wanted = (column.get(source) ?? 0) + 1;
      if ((column.get(target) ?? 0) < wanted) {
        column.set(target, wanted);
        moved = true;
      }
    }
  }
  const filled = new Map<number, number>();
  const heights = new Map<number, number>();
  for (const at of column.values()) heights.set(at, (heights.get(at) ?? 0) + 1);
  const lefts = leftsOf(nodes, column);
  return {
    height: Math.min(440, 120 + Math.max(...heights.values()) * 80),
    nodes: nodes.map((node) => {
      const at = column.get(node.id) ?? 0;
      const row = filled.get(at) ?? 0;
      filled.set(at, row + 1);
      return {
        id: node.id,
        type: 'lineage',
        position: { x: lefts.get(at) ?? 0, y: (row - ((heights.get(at) ?? 1) - 1) / 2) * ROW },
        data: { node, self: node.model_id === modelId },
        ariaLabel: `${node.kind} ${node.name}`,
      };
    }),
    edges: edges.map(({ source, target, label }) => ({
      id: `${source}>${target}>${label}`,
      source,
      target,
      label,
    })),
  };
}

/** Where each column begins. */
function leftsOf(nodes: Lineage['nodes'], column: ReadonlyMap<string, number>): Map<number, number> {
  const last = Math.max(0, ...column.values());
  const lefts = new Map<number, number>();
  for (let at = 0, x = 0; at <= last; at += 1) {
    lefts.set(at, x);
    const wide = nodes.some(({ id, model_id }) => model_id && column.get(id) === at);
    x += wide ? COLUMN.model : COLUMN.op;
  }
  return lefts;
}
