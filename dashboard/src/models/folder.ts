/** The files of a folder that a person chose or dropped, with their paths below it. */
import type { FolderFile } from '../../../openapi/folder-import.ts';

export type Folder = { name: string; files: FolderFile[] };

/** Of an `<input webkitdirectory>`: the browser has walked the folder. */
export function chosenFolder(files: FileList): Folder | null {
  const found = [...files];
  const name = found[0]?.webkitRelativePath.split('/')[0];
  if (!name) return null;
  return {
    name,
    files: found.map((file) => folderFile(file.webkitRelativePath.slice(name.length + 1), file)),
  };
}

/** Of a drop: the one folder in it, or null where it is something else. Call it within the event. */
export async function droppedFolder(items: DataTransferItemList): Promise<Folder | null> {
  const [entry, ...others] = [...items].map((item) => item.webkitGetAsEntry());
  if (!entry?.isDirectory || others.length > 0) return null;
  return { name: entry.name, files: await filesIn(entry as FileSystemDirectoryEntry, '') };
}

async function filesIn(directory: FileSystemDirectoryEntry, above: string): Promise<FolderFile[]> {
  const reader = directory.createReader();
  const found: FolderFile[] = [];
  // A reader gives some hundred entries at a time, and none when it is through.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return found;
    for (const entry of entries) {
      const path = above + entry.name;
      if (entry.isDirectory) {
        found.push(...(await filesIn(entry as FileSystemDirectoryEntry, `${path}/`)));
      } else {
        const file = await new Promise<File>((resolve, reject) =>
          (entry as FileSystemFileEntry).file(resolve, reject),
        );
        found.push(folderFile(path, file));
      }
    }
  }
}

function folderFile(name: string, file: File): FolderFile {
  return { name, bytes: file.size, from: (offset) => (offset === 0 ? file : file.slice(offset)) };
}
