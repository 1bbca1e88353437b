import { Anchor, Text, Title } from '@mantine/core';
import { Link, useLocation } from 'wouter';
import { Panel } from './panel.tsx';

export function NotFound() {
  const [path] = useLocation();
  return (
    <Panel>
      <Title order={1} size="h3">
        No such page
      </Title>
      <Text mt="xs">
        There is nothing at <code>{path}</code>.{' '}
        <Anchor component={Link} href="/">
          Go to the overview
        </Anchor>
      </Text>
    </Panel>
  );
}
