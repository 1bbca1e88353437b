import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const ember: MantineColorsTuple = [
  '#fff4ed',
  '#ffe4d3',
  '#fec7a5',
  '#fda370',
  '#fb8443',
  '#ee6a20',
  '#d4530f',
  '#b8430c',
  '#93370f',
  '#722c0f',
];

/** Cool greys with a little blue; 9 is the page in the dark, 0 the page in the light. */
const dark: MantineColorsTuple = [
  '#d7dce4',
  '#b8c0cc',
  '#99a3b3',
  '#6b7687',
  '#3d4654',
  '#2d3541',
  '#222933',
  '#191e26',
  '#13171d',
  '#0d1014',
];

/** A dialog's head is a `<header>`; without this role it would count as the page's banner. */
const dialog = {
  defaultProps: { attributes: { header: { role: 'presentation' } } },
  styles: { title: { fontWeight: 650 } },
};

export const theme = createTheme({
  primaryColor: 'ember',
  primaryShade: 7,
  colors: { ember, dark },
  defaultRadius: 'md',
  fontFamily: 'Inter, "Segoe UI", system-ui, -apple-system, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace',
  headings: { fontWeight: '650' },
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    InputWrapper: { defaultProps: { inputWrapperOrder: ['label', 'input', 'error', 'description'] } },
    Drawer: dialog,
    Modal: dialog,
    Table: { defaultProps: { verticalSpacing: 7, horizontalSpacing: 'sm' } },
  },
});

/** Mantine's dimmed and error tones fall short of WCAG AA (4.5 to 1) on these backgrounds. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f6f7f9',
    '--mantine-color-text': '#161b22',
    '--mantine-color-dimmed': '#545d6b',
    '--mantine-color-placeholder': '#646d7a',
    '--mantine-color-error': '#b42318',
    '--mantine-color-anchor': '#a23a09',
  },
  dark: {
    '--mantine-color-body': '#0d1014',
    '--mantine-color-text': '#e3e7ed',
    '--mantine-color-dimmed': '#9aa5b5',
    '--mantine-color-placeholder': '#8d98a8',
    '--mantine-color-error': '#ff8f84',
    '--mantine-color-anchor': '#ff9f6b',
  },
});
