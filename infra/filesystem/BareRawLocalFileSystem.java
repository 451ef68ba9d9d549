package io.lakeshelf.fs;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's local file system without forked processes (chmod, ls, readlink).
 *
 * <p>A rename that may not overwrite is one atomic step: it fails if the target exists, also when
 * another process makes that target at the same moment. A rename that may overwrite is atomic too.
 */
public class BareRawLocalFileSystem extends RawLocalFileSystem {

  @Override
  public void setPermission(Path path, FsPermission permission) throws IOException {
    String symbols = symbols(permission.getUserAction()) + symbols(permission.getGroupAction())
        + symbols(permission.getOtherAction());
    Files.setPosixFilePermissions(local(path), PosixFilePermissions.fromString(symbols));
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    PosixFileAttributes found = attributes(path);
    return new FileStatus(found.size(), found.isDirectory(), 1, getDefaultBlockSize(path),
        found.lastModifiedTime().toMillis(), found.lastAccessTime().toMillis(),
        FsPermission.valueOf("-" + PosixFilePermissions.toString(found.permissions())),
        found.owner().getName(), found.group().getName(),
        path.makeQualified(getUri(), getWorkingDirectory()));
  }

  /** Symbolic links are followed: a link's own status would need a process. */
  @Override
  public FileStatus getFileLinkStatus(Path path) throws IOException {
    return getFileStatus(path);
  }

  /** False if the target is a file that exists. */
  @Override
  public boolean rename(Path source, Path target) throws IOException {
    if (Files.isDirectory(local(source))) {
      return super.rename(source, target);
    }
    try {
      linkAndUnlink(source, target);
      return true;
    } catch (java.nio.file.FileAlreadyExistsException exists) {
      return false;
    }
  }

  @Override
  protected void rename(Path source, Path target, Rename... options) throws IOException {
    attributes(source);
    if (Arrays.asList(options).contains(Rename.OVERWRITE)) {
      Files.move(local(source), local(target), StandardCopyOption.ATOMIC_MOVE);
    } else if (Files.exists(local(target)) || !rename(source, target)) {
      throw new FileAlreadyExistsException("rename destination " + target + " already exists.");
    }
  }

  private void linkAndUnlink(Path source, Path target) throws IOException {
    try {
      Files.createLink(local(target), local(source));
    } catch (UnsupportedOperationException noHardLinks) {
      Files.move(local(source), local(target));
      return;
    }
    Files.delete(local(source));
  }

  private PosixFileAttributes attributes(Path path) throws IOException {
    try {
      return Files.readAttributes(local(path), PosixFileAttributes.class);
    } catch (FileSystemException error) {
      // Another process may make the file a moment later: what was told of it first counts.
      if (!(error instanceof NoSuchFileException) && Files.exists(local(path))) {
        throw error;
      }
      throw new FileNotFoundException("File " + path + " does not exist");
    }
  }

  private java.nio.file.Path local(Path path) {
    File file = pathToFile(path);
    return file.toPath();
  }

  private static String symbols(FsAction action) {
    return action.SYMBOL;
  }
}
