import { Ncs4cvrError, ProblemsError } from '../base/errors.ts';
import { type ExternalData, inlineTensors } from '../onnx/inlineTensors.ts';
import { decodeModel, externalTensorsOf } from '../onnx/modelProto.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { joinPath, pathSchema } from '../storage/uri.ts';

/** A model as one file. */
export interface OnnxFile {
  readonly bytes: Uint8Array;
  /** Paths of the files beside it, whose tensors are in the bytes. */
  readonly dataFiles: readonly string[];
}

/**
 * Reads an ONNX file, and with it the weights that lie in files beside it (`model.onnx.data`, as PyTorch writes by default).
 * @throws Ncs4cvrError GRAPH_UNREADABLE, also for weights that reach beyond their file, GRAPH_TOO_LARGE, STORAGE_NOT_FOUND for a
 *   file that isn't beside the model; ProblemsError MODEL_INTERFACE for one that can't be beside it
 */
export async function readOnnxFile(onnxUri: string): Promise<OnnxFile> {
  const bytes = await storageFor(onnxUri).readWhole(onnxUri);
  if (externalTensorsOf(decodeModel(bytes, onnxUri).graph).length === 0) return { bytes, dataFiles: [] };
  const folder = /^(.*)\//s.exec(onnxUri)?.[1] ?? '.';
  const files = new Map<string, RandomAccessFile>();
  const fileAt = async (data: ExternalData) => {
    refuseOutside(data, onnxUri);
    const uri = joinPath(folder, data.location);
    const file = files.get(data.location) ?? (await storageFor(uri).open(uri));
    files.set(data.location, file);
    return file;
  };
  try {
    const whole = await inlineTensors(bytes, async (data) => readTensor(await fileAt(data), data), onnxUri);
    return { bytes: whole, dataFiles: [...files.keys()] };
  } finally {
    for (const file of files.values()) await file.close();
  }
}

/** A model that somebody was sent may name any file of this machine. */
function refuseOutside({ name, location }: ExternalData, file: string): void {
  if (pathSchema.safeParse(location).success && !/[\\:]/.test(location)) return;
  throw new ProblemsError(
    'MODEL_INTERFACE',
    "the model's weights can't be read",
    [`tensor ${name}: its data lies in '${location}', which is no path below the model's folder`],
    { file },
  );
}

async function readTensor(
  file: RandomAccessFile,
  { name, startByte, sizeBytes = file.sizeBytes - startByte }: ExternalData,
): Promise<Uint8Array> {
  const isWithin = [startByte, sizeBytes].every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!isWithin || startByte + sizeBytes > file.sizeBytes) {
    throw new Ncs4cvrError('GRAPH_UNREADABLE', "a tensor's data isn't in its file", {
      file: file.uri,
      expected: `tensor ${name} at bytes ${startByte} to ${startByte + sizeBytes}`,
      found: `${file.sizeBytes} bytes`,
    });
  }
  const bytes = new Uint8Array(sizeBytes);
  await file.readInto(bytes, startByte);
  return bytes;
}
