import { openDatabase } from '../../gateway/src/database/database.js';
import { describeMirror } from './suite.js';

describeMirror('the embedded database', () => openDatabase({ folder: null }));
