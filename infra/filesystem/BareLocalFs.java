package io.lakeshelf.fs;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FsServerDefaults;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.local.LocalConfigKeys;

/**
 * For {@code fs.AbstractFileSystem.file.impl}: what {@code FileContext} uses, and with it the
 * checkpoints of streaming queries.
 */
public class BareLocalFs extends DelegateToFileSystem {

  private final BareRawLocalFileSystem files;

  public BareLocalFs(URI uri, Configuration configuration) throws IOException, URISyntaxException {
    this(uri, configuration, new BareRawLocalFileSystem());
  }

  private BareLocalFs(URI uri, Configuration configuration, BareRawLocalFileSystem files)
      throws IOException, URISyntaxException {
    super(uri, files, configuration, "file", false);
    this.files = files;
  }

  @Override
  public int getUriDefaultPort() {
    return -1;
  }

  @Override
  public FsServerDefaults getServerDefaults(Path path) throws IOException {
    return LocalConfigKeys.getServerDefaults();
  }

  @Override
  public boolean isValidName(String name) {
    return true;
  }

  @Override
  public void renameInternal(Path source, Path target, boolean overwrite) throws IOException {
    files.rename(source, target, overwrite ? Rename.OVERWRITE : Rename.NONE);
  }
}
