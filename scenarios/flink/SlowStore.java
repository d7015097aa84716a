import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.io.PositionOutputStream;

/**
 * Iceberg's own store on Hadoop's file systems, but slow when a lab says so: a file that is closed is acknowledged only after a delay.
 *
 * <p>The catalog's property slow.directory names a directory. While it holds a file "commit", each metadata file of a table (*.metadata.json, the last one that a commit writes before readers
 * see it) takes as many milliseconds longer as that file says; "write" does the same for data files. Without them it is Iceberg's store, byte for byte.
 */
public final class SlowStore extends HadoopFileIO {
  private static final long serialVersionUID = 1;
  private String directory = "";

  @Override
  public void initialize(Map<String, String> properties) {
    super.initialize(properties);
    directory = properties.getOrDefault("slow.directory", "");
  }

  @Override
  public OutputFile newOutputFile(String path) {
    OutputFile file = super.newOutputFile(path);
    if (path.endsWith(".metadata.json")) return new SlowFile(file, "commit");
    if (path.lastIndexOf("/data/") > path.lastIndexOf("/metadata/")) return new SlowFile(file, "write");   // the table itself may lie in a folder of that name
    return file;
  }

  private long delayMs(String what) throws IOException {
    if (directory.isEmpty()) return 0;
    try {
      return Long.parseLong(Files.readString(Path.of(directory, what)).trim());
    } catch (NoSuchFileException none) {
      return 0;
    }
  }

  private final class SlowFile implements OutputFile {
    private final OutputFile file;
    private final String what;

    SlowFile(OutputFile file, String what) {
      this.file = file;
      this.what = what;
    }

    @Override
    public PositionOutputStream create() {
      return new SlowStream(file.create(), what);
    }

    @Override
    public PositionOutputStream createOrOverwrite() {
      return new SlowStream(file.createOrOverwrite(), what);
    }

    @Override
    public String location() {
      return file.location();
    }

    @Override
    public InputFile toInputFile() {
      return file.toInputFile();
    }
  }

  private final class SlowStream extends PositionOutputStream {
    private final PositionOutputStream stream;
    private final String what;
    private boolean closed;

    SlowStream(PositionOutputStream stream, String what) {
      this.stream = stream;
      this.what = what;
    }

    @Override
    public long getPos() throws IOException {
      return stream.getPos();
    }

    @Override
    public void write(int b) throws IOException {
      stream.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      stream.write(bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
      stream.flush();
    }

    @Override
    public long storedLength() throws IOException {
      return stream.storedLength();
    }

    @Override
    public void close() throws IOException {
      stream.close();
      if (closed) return;
      closed = true;
      try {
        Thread.sleep(delayMs(what));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while the store was slow", e);
      }
    }
  }
}
