# build.sh OUT: compile, try, and pack; every time in the archive is that of the commit
set -eu
umask 022
java=$1
out=$2
mkdir -p build/classes
"$java/javac" -g:source -encoding UTF-8 --release 17 -d build/classes src/main/java/example/ibis/*.java
echo "DE89 3704 0044 0532 0130 00" | "$java/java" -cp build/classes example.ibis.Main
"$java/jar" --create --file "$out" --manifest manifest.txt --date "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" -C build/classes .
