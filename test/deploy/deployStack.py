"""Deploys a packaged stack as osls does and prints what came of it as JSON: deployStack.py ENDPOINT PACKAGE ARTIFACTS.

PACKAGE is what `osls package` has written, ARTIFACTS the folder of the zips. The shims that this holds are listed at the
head of deployedNight.test.ts.
"""

import ast
import json
import pathlib
import sys
import urllib.request

import boto3

endpoint, package, artifacts = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
STACK = "ncs4cvr-prod"


def client(name):
    keys = {"aws_access_key_id": "deployer", "aws_secret_access_key": "deployer"}
    return boto3.client(name, endpoint_url=endpoint, region_name="eu-central-1", **keys)


cloudformation, s3, awslambda, iam, sqs = map(client, ["cloudformation", "s3", "lambda", "iam", "sqs"])


def template(step):
    return (package / f"cloudformation-template-{step}-stack.json").read_text()


def role_statements(role):
    """Of the policies that are written into a role or put there by a policy's own resource, as a list of IAM statements."""
    statements = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        # moto answers with Python's text of a policy that came by CloudFormation.
        found = (ast.literal_eval(document) if isinstance(document, str) else document)["Statement"]
        statements += found if isinstance(found, list) else [found]
    return statements


# A first stack has the deployment bucket alone; the second one is updated from there.
cloudformation.create_stack(StackName=STACK, TemplateBody=template("create"), Capabilities=["CAPABILITY_NAMED_IAM"])
bucket = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId="ServerlessDeploymentBucket")
bucket = bucket["StackResourceDetail"]["PhysicalResourceId"]
update = template("update")
wanted = json.loads(update)["Resources"]
for resource in wanted.values():
    if resource["Type"] == "AWS::Lambda::Function":
        key = resource["Properties"]["Code"]["S3Key"]
        s3.upload_file(str(artifacts / key.rsplit("/", 1)[1]), bucket, key)
s3.put_object(Bucket=bucket, Key="template.json", Body=update)
url = f"https://s3.amazonaws.com/{bucket}/template.json"
cloudformation.update_stack(StackName=STACK, TemplateURL=url, Capabilities=["CAPABILITY_NAMED_IAM"])
stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
made = {
    each["LogicalResourceId"]: each["PhysicalResourceId"] for page in pages for each in page["StackResourceSummaries"]
}

# They would invoke functions by Docker the moment a message is sent: the test polls by these mappings instead.
mappings = awslambda.list_event_source_mappings()["EventSourceMappings"]
for mapping in mappings:
    awslambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

# moto's CloudFormation passes over a bucket's notifications.
features = wanted["FeaturesBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
queues = {
    name: sqs.get_queue_attributes(QueueUrl=made[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name, resource in wanted.items()
    if resource["Type"] == "AWS::SQS::Queue"
}
notifications = [
    {
        "QueueArn": queues[each["Queue"]["Fn::GetAtt"][0]],
        "Events": [each["Event"]],
    }
    for each in features
]
s3.put_bucket_notification_configuration(
    Bucket=made["FeaturesBucket"], NotificationConfiguration={"QueueConfigurations": notifications}
)

# From here on state machines are run, and not only kept.
config = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/config", data=config, method="POST"))

functions = {
    name: awslambda.get_function_configuration(FunctionName=made[name])
    for name, resource in wanted.items()
    if resource["Type"] == "AWS::Lambda::Function"
}
result = {
    "status": stack["StackStatus"],
    "resources": made,
    "outputs": {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
    "queueArns": queues,
    "functions": functions,
    "roles": {
        name: role_statements(made[name]) for name, each in wanted.items() if each["Type"] == "AWS::IAM::Role"
    },
    "mappings": mappings,
}
print(json.dumps(result, default=str))
