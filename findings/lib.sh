# Shared by the findings: a temporary folder that is removed at the end, public packages unpacked into it, and verdicts. Sourced.
set -euo pipefail

FOLDER=$(mktemp -d)
STARTED=()
finish() {
	for process in "${STARTED[@]:-}"; do
		[ -z "$process" ] || kill -CONT "$process" || true
		[ -z "$process" ] || kill -KILL "$process" || true
	done
	wait || true
	rm -rf "$FOLDER"
} 2>/dev/null
trap finish EXIT

# cannot ends the script without a result for the finding.
cannot() { echo "cannot be tried here: $*" >&2; exit 2; }

# still TEXT FOUND EXPECTED: checks one behaviour. A different one ends the script with 1.
still() {
	if [ "$2" = "$3" ]; then
		echo "as seen: $1: $2"
	else
		echo "CHANGED: $1: now '$2', seen before: '$3'"
		exit 1
	fi
}

# debian SUITE PACKAGE: unpacks a Debian package, with its dependencies, into $FOLDER/SUITE; nothing is installed.
debian() {
	local suite=$1 package=$2 root=$FOLDER/$1 apt=$FOLDER/apt-$1 mirror key
	command -v apt-get >/dev/null || cannot "no apt-get"
	mirror=$(apt-get indextargets --format '$(URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		sed -nE 's|^(.*/debian)/dists/.*|\1|p' | head -1)
	[ -n "$mirror" ] || cannot "no source of Debian's packages"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$root" "$apt/lists/partial" "$apt/archives/partial" "$apt/parts"
	: >"$apt/status"
	echo "deb [signed-by=$key] $mirror $suite main" >"$apt/parts/one.list"
	local options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::lists=$apt/lists"
		-o "Dir::Cache::archives=$apt/archives" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
		-o "Dir::State::status=$apt/status" -o APT::Install-Recommends=false -o APT::Sandbox::User=root)
	apt-get "${options[@]}" update >"$apt/log" 2>&1 || cannot "$suite: $(tail -1 "$apt/log")"
	apt-get "${options[@]}" -y --download-only install "$package" >>"$apt/log" 2>&1 || cannot "$package: $(tail -1 "$apt/log")"
	for file in "$apt"/archives/*.deb; do dpkg -x "$file" "$root"; done
}

# within SUITE PROGRAM ARGUMENT…: runs a program of an unpacked suite with that suite's own libraries.
within() {
	local root=$FOLDER/$1 loader
	loader=$(find "$root" -type f -name 'ld-linux*.so*' | head -1)
	[ -n "$loader" ] || cannot "no loader in $1"
	exec "$loader" \
		--library-path "$(find "$root/usr/lib" "$root/lib" -maxdepth 1 -type d -name '*-linux-gnu' 2>/dev/null | paste -sd:)" \
		"$root/usr/bin/$2" "${@:3}"
}

# mariadb_data NAME: makes the data folder $FOLDER/NAME of a server of Debian's MariaDB in $FOLDER/bookworm.
mariadb_data() {
	local root=$FOLDER/bookworm name=$1
	mkdir "$FOLDER/$name"
	printf '%s\n' --no-defaults "--lc-messages-dir=$root/usr/share/mysql" "--character-sets-dir=$root/usr/share/mysql/charsets" \
		"--plugin-dir=$root/usr/lib/mysql/plugin" --log-warnings=0 --innodb-log-file-size=32M "--datadir=$FOLDER/$name" \
		"--tmpdir=$FOLDER/$name" >"$FOLDER/$name.options"
	[ "$(id -u)" != 0 ] || echo --user=root >>"$FOLDER/$name.options"
	{
		printf '%s;\n' 'CREATE DATABASE mysql' 'USE mysql' 'SET @auth_root_socket=NULL' 'CREATE DATABASE test'
		cat "$root"/usr/share/mysql/mysql_system_tables.sql "$root"/usr/share/mysql/mysql_performance_tables.sql \
			"$root"/usr/share/mysql/mysql_system_tables_data.sql
	} | mariadb_run "$name" --bootstrap || cannot "$(tail -3 "$FOLDER/$name.log")"
}

# mariadb NAME PORT OPTION…: starts the server on the data folder NAME.
mariadb() {
	mariadb_run "$1" --bind-address=127.0.0.1 "--port=$2" "--socket=$FOLDER/$1.socket" "--pid-file=$FOLDER/$1.pid" \
		--skip-name-resolve "${@:3}" &
	STARTED+=("$!")
	eventually listens "$2"
}

# mariadb_run NAME OPTION…: replaces this shell by the server on the data folder NAME; an option wins over those of the folder.
mariadb_run() {
	local options
	mapfile -t options <"$FOLDER/$1.options"
	within bookworm ../sbin/mariadbd "${options[@]}" "${@:2}" >>"$FOLDER/$1.log" 2>&1
}

# port N: the first of N consecutive free ports on loopback; the ports 10,000 above, for a Redis cluster's bus, are free too.
port() {
	python3 - "$1" <<-'PYTHON'
		import random, socket, sys
		def free(at):
		    with socket.socket() as s:
		        try: s.bind(("127.0.0.1", at))
		        except OSError: return False
		    return True
		while True:
		    first = random.randrange(12000, 22000)
		    if all(free(first + i) and free(first + i + 10000) for i in range(int(sys.argv[1]))):
		        print(first)
		        break
	PYTHON
}

# eventually COMMAND…: repeats the command until it succeeds, at most 60 s.
eventually() {
	for _ in $(seq 600); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	cannot "not within a minute: $*"
}

# go_program MODULE@VERSION…: builds the program on stdin with exactly these modules into $FOLDER/program.
go_program() {
	command -v go >/dev/null || cannot "no Go"
	mkdir -p "$FOLDER/go"
	cat >"$FOLDER/go/main.go"
	(cd "$FOLDER/go" && go mod init finding && go get "$@" && go mod tidy &&
		go build -o "$FOLDER/program" .) >"$FOLDER/go.log" 2>&1 ||
		cannot "$(tail -3 "$FOLDER/go.log")"
}

# kafka VERSION: the jars of a broker and its client in $FOLDER/kafka-VERSION, by Maven.
kafka() {
	command -v java >/dev/null || cannot "no Java"
	command -v mvn >/dev/null || cannot "no Maven"
	local home=$FOLDER/kafka-$1
	mkdir -p "$home"
	cat >"$home/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>finding</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$1</version>
</dependency></dependencies></project>
XML
	mvn -q -B -f "$home/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$home/libs" >"$home/log" 2>&1 ||
		cannot "$(tail -3 "$home/log")"
}

# broker VERSION NODE VOTERS BASE [ROLES]: starts one node of a cluster whose nodes 1 to VOTERS are the controllers; node i
# listens on BASE+2i for clients and on BASE+2i+1 as a controller. ROLES are broker,controller by default. Lines of
# properties in SETTINGS win over those below. BROKER is its process.
broker() {
	local home=$FOLDER/kafka-$1 node=$2 roles=${5:-broker,controller} voters='' listeners=''
	local client=PLAINTEXT://127.0.0.1:$(($4 + 2 * $2)) control=CONTROLLER://127.0.0.1:$(($4 + 2 * $2 + 1))
	for i in $(seq "$3"); do voters+=,$i@127.0.0.1:$(($4 + 2 * i + 1)); done
	case $roles in
	broker) listeners=$client ;;
	controller) listeners=$control ;;
	*) listeners=$client,$control ;;
	esac
	if [ ! -d "$home/data-$node" ]; then
		cat >"$home/$node.properties" <<PROPERTIES
process.roles=$roles
node.id=$node
controller.quorum.voters=${voters#,}
listeners=$listeners
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$home/data-$node
auto.create.topics.enable=false
replica.lag.time.max.ms=3000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
${SETTINGS:-}
PROPERTIES
		java -cp "$home/libs/*" kafka.tools.StorageTool format -t Zmxhc2hzYWxlLWhhcm5lcw -c "$home/$node.properties" \
			>>"$home/log" 2>&1 ||
			cannot "$(tail -3 "$home/log")"
	fi
	java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$home/libs/*" kafka.Kafka "$home/$node.properties" \
		>>"$home/log" 2>&1 &
	BROKER=$!
	STARTED+=("$BROKER")
	eventually listens $((${listeners##*:}))
}

# listens PORT: succeeds when a process accepts connections on the port.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

# secured USER…: the SETTINGS of a broker that authenticates the users and operator, each by its name as the password, and
# allows the users only what access control lists grant. The operator may do everything.
secured() {
	local known=''
	for user in operator "$@"; do known+=" user_$user=\"$user\""; done
	SETTINGS="listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username=\"operator\" password=\"operator\"$known;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:operator;User:ANONYMOUS
allow.everyone.if.no.acl.found=false"
}
