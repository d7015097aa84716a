import java.io.IOException;
import java.net.URI;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.local.LocalFileSystem;

/**
 * A store for checkpoints that stops answering when a lab says so: Flink's own of local files, under the scheme hanging://. While there is a file DIRECTORY/hang beside DIRECTORY/checkpoints, whoever
 * makes a file with a task's state waits until it is gone. The JobManager's _metadata is never kept waiting: it is written under the coordinator's lock once all tasks have answered, and then no
 * time-out would be heard.
 */
public final class HangingStore implements FileSystemFactory {
  private static final URI ROOT = URI.create("hanging:///");
  private static final long LOOK_MS = 50;

  @Override
  public String getScheme() {
    return ROOT.getScheme();
  }

  @Override
  public FileSystem create(URI uri) {
    return new Files();
  }

  private static final class Files extends LocalFileSystem {
    @Override
    public URI getUri() {
      return ROOT;
    }

    @Override
    public FSDataOutputStream create(Path path, WriteMode mode) throws IOException {
      int store = path.getPath().lastIndexOf("/checkpoints/");
      java.nio.file.Path hang = java.nio.file.Path.of(path.getPath().substring(0, Math.max(store, 0)), "hang");
      try {
        while (store >= 0 && !path.getName().equals("_metadata") && java.nio.file.Files.exists(hang)) Thread.sleep(LOOK_MS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while the store did not answer", e);
      }
      return super.create(path, mode);
    }
  }
}
