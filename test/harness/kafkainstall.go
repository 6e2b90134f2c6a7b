package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const kafkaScala = "2.13"

// kafkaVersions are the releases of the kinds of one broker.
var kafkaVersions = map[string]string{"kafka-4.1": "4.1.1", "kafka-4.4": "4.4.0"}

// kafkaInstallation is a Kafka on this machine.
type kafkaInstallation struct {
	java    string
	libs    string // folder of the jars
	version string // of its kind
}

// chosenKafka returns the installation of the chosen kind: the one that KAFKA_HOME names, else the one in the cache, filled
// by Maven at the first use.
func chosenKafka() (kafkaInstallation, error) {
	kind, err := Chosen(RoleKafka)
	if err != nil {
		return kafkaInstallation{}, err
	}
	name := kind.base()
	k := kafkaInstallation{version: kafkaVersions[name]}
	if k.java = findProgram("java"); k.java == "" {
		return k, errors.New("java is missing: type `apt-get install --no-install-recommends " +
			"openjdk-17-jre-headless`, or set FLASHSALE_TEST_KAFKA=host:port")
	}
	if home := os.Getenv("KAFKA_HOME"); home != "" {
		k.libs = filepath.Join(home, "libs")
		return k, kind.suits(kafkaVersionIn(k.libs))
	}
	cache, err := cacheFolder()
	if err != nil {
		return k, err
	}
	home := filepath.Join(cache, "kafka-"+k.version)
	k.libs = filepath.Join(home, "libs")
	return k, once("kafka", func() bool { return isFolder(home) }, func() error { return build(home, k.download) })
}

// kafkaVersionIn returns the version of the broker's jar in a folder, "" when there is none.
func kafkaVersionIn(libs string) string {
	jars, err := filepath.Glob(filepath.Join(libs, "kafka_"+kafkaScala+"-*.jar"))
	if err != nil || len(jars) == 0 {
		return ""
	}
	_, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(jars[0]), ".jar"), "-")
	return version
}

const kafkaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>flashsale</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_%s</artifactId><version>%s</version>
</dependency></dependencies></project>
`

// download fills a folder with the jars.
func (k kafkaInstallation) download(dir string) error {
	maven := findProgram("mvn")
	if maven == "" {
		return errors.New("mvn is missing: type `apt-get install --no-install-recommends maven`, " +
			"or set KAFKA_HOME to a Kafka " + k.version + ", or FLASHSALE_TEST_KAFKA=host:port")
	}
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, fmt.Appendf(nil, kafkaPOM, kafkaScala, k.version), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(maven, "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DoutputDirectory="+filepath.Join(dir, "libs"))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("download Kafka with Maven: %w\n%s", err, Tail(string(output)))
	}
	return nil
}

// template returns a formatted folder to copy: formatting starts a JVM of its own.
func (k kafkaInstallation) template() (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	template := filepath.Join(cache, "kafka-"+k.version+"-formatted")
	err = once("kafka-format", func() bool { return isFolder(template) }, func() error { return build(template, k.format) })
	return template, err
}

func (k kafkaInstallation) format(dir string) error {
	settings := dir + ".properties"
	if err := os.WriteFile(settings, kafkaSettings(dir, lowestPort, lowestPort+1), 0o644); err != nil {
		return err
	}
	args := k.command(nil, "kafka.tools.StorageTool", "format", "-t", kafkaCluster, "-c", settings)
	if output, err := exec.Command(k.java, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the folder of Kafka: %w\n%s", err, Tail(string(output)))
	}
	return os.Remove(settings)
}
